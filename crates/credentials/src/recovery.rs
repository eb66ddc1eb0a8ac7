use portcullis_kernel::{AgentId, CodeMac, Instant, RecoveryId};

/// A request for recovery codes to one mailbox. There is one for every request, whether an agent has the
/// address or not, so that both cost the same; what differs is whether codes are made for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryRequest {
    /// Its id.
    pub id: RecoveryId,
    /// The canonical address it names.
    pub email: String,
    /// `None` for strangers, else what tells networks that agents of the mailbox work from apart from
    /// them. Each side has codes of its own.
    pub side: Option<String>,
    /// The network that asked.
    pub asked_from: String,
    /// Codes tried from the network that asked.
    pub own_tries: u32,
    /// Codes tried from all others together.
    pub other_tries: u32,
    /// When it was made.
    pub created_at: Instant,
    /// From when on its codes are dead, and nothing tells that one was used.
    pub expires_at: Instant,
    /// When a newer request of its side took its place.
    pub closed_at: Option<Instant>,
}

/// Who tries a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    /// The network that asked for it.
    ByAsker,
    /// Any other.
    ByOther,
}

/// How many wrong codes a request bears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecoveryTries {
    /// From the network that asked, with one code alive.
    pub own: u32,
    /// From all others together, with one code alive.
    pub other: u32,
    /// From the network that asked, with several codes alive.
    pub own_of_several: u32,
    /// From all others together, with several codes alive.
    pub other_of_several: u32,
}

impl Default for RecoveryTries {
    fn default() -> Self {
        Self { own: 5, other: 3, own_of_several: 2, other_of_several: 1 }
    }
}

impl RecoveryTries {
    /// The budget of one side while so many codes are alive.
    pub fn most(&self, tried: Tried, alive: usize) -> u32 {
        match (tried, alive > 1) {
            (Tried::ByAsker, false) => self.own,
            (Tried::ByOther, false) => self.other,
            (Tried::ByAsker, true) => self.own_of_several,
            (Tried::ByOther, true) => self.other_of_several,
        }
    }
}

impl RecoveryRequest {
    /// Whether its codes may still be used.
    pub fn is_open(&self, now: Instant) -> bool {
        self.closed_at.is_none() && now < self.expires_at
    }

    /// As whom somebody in this network tries its codes.
    pub fn tried_from(&self, network: Option<&str>) -> Tried {
        let asker = network == Some(self.asked_from.as_str());
        if asker { Tried::ByAsker } else { Tried::ByOther }
    }

    /// What a code of this request for this agent is bound to.
    pub fn attempt(id: RecoveryId, agent: AgentId) -> String {
        format!("{id}/{agent}")
    }
}

/// A recovery code as it is stored: good for one agent, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryCode {
    /// The request it belongs to.
    pub request: RecoveryId,
    /// The agent it recovers.
    pub agent: AgentId,
    /// The MAC of the code.
    pub code: CodeMac,
    /// When it was used.
    pub used_at: Option<Instant>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o3_strangers_and_several_codes_have_fewer_tries() {
        let tries = RecoveryTries::default();
        let all =
            [(Tried::ByAsker, 1), (Tried::ByOther, 1), (Tried::ByAsker, 2), (Tried::ByOther, 5)];
        assert_eq!(all.map(|(tried, alive)| tries.most(tried, alive)), [5, 3, 2, 1]);
    }
}
