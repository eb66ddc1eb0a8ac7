use portcullis_kernel::{ClaimAttemptId, CodeMac, Instant, RegistrationId};

/// One attempt of a person to claim a registration: the address that was named, and the code that was
/// mailed to it. A registration has one at a time; another takes its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimAttempt {
    /// Its id.
    pub id: ClaimAttemptId,
    /// What is to be claimed.
    pub registration: RegistrationId,
    /// The canonical address that the code proves.
    pub email: String,
    /// The form of the address to which mail goes.
    pub delivery: String,
    /// The MAC of the code; `None` when none was made, because too many went to the address of late.
    pub code: Option<CodeMac>,
    /// Wrong codes that were compared with it.
    pub tries: u32,
    /// When it was made.
    pub created_at: Instant,
    /// From when on its code is dead.
    pub expires_at: Instant,
}

impl ClaimAttempt {
    /// Whether its asker goes on with it; that there is no code is told to nobody.
    pub fn stands(&self, most_tries: u32, now: Instant) -> bool {
        self.tries < most_tries && now < self.expires_at
    }

    /// Whether there is a code, and it may still be tried.
    pub fn is_alive(&self, most_tries: u32, now: Instant) -> bool {
        self.code.is_some() && self.stands(most_tries, now)
    }

    /// Whether too little of its life is left to begin with a code.
    pub fn is_late(&self, now: Instant) -> bool {
        self.expires_at - now < (self.expires_at - self.created_at) / 2
    }

    /// What a code of this attempt is bound to: the attempt and its address (ASVS 6.6.2).
    pub fn bound_to(&self) -> String {
        format!("{}/{}", self.id, self.email)
    }
}

#[cfg(test)]
mod tests {
    use portcullis_kernel::Instant;

    use super::*;

    fn attempt() -> ClaimAttempt {
        ClaimAttempt {
            id: "cla_00000000000000000000000000000001".parse().unwrap(),
            registration: "rgn_00000000000000000000000000000002".parse().unwrap(),
            email: "jane@example.com".into(),
            delivery: "Jane@example.com".into(),
            code: Some(CodeMac::from_bytes([7; 32])),
            tries: 0,
            created_at: Instant::from_unix_timestamp(0).unwrap(),
            expires_at: Instant::from_unix_timestamp(600).unwrap(),
        }
    }

    #[test]
    fn o3_o7_an_attempt_ends_with_its_time_and_with_its_tries() {
        let at = |seconds| Instant::from_unix_timestamp(seconds).unwrap();
        let alive = attempt();
        assert!(alive.is_alive(5, at(599)) && !alive.is_alive(5, at(600)));
        assert!(ClaimAttempt { tries: 4, ..alive.clone() }.is_alive(5, at(0)));
        assert!(!ClaimAttempt { tries: 5, ..alive.clone() }.is_alive(5, at(0)));
        assert!(!ClaimAttempt { tries: 5, ..alive.clone() }.stands(5, at(0)));
        let codeless = ClaimAttempt { code: None, ..alive };
        assert!(!codeless.is_alive(5, at(0)));
        assert!(codeless.stands(5, at(599)) && !codeless.stands(5, at(600)));
        assert!(!codeless.is_late(at(300)) && codeless.is_late(at(301)));
    }

    #[test]
    fn o6_a_code_is_bound_to_its_attempt_and_address() {
        let one = attempt();
        let other = ClaimAttempt { email: "joe@example.com".into(), ..one.clone() };
        assert_ne!(one.bound_to(), other.bound_to());
        let id = "cla_00000000000000000000000000000009".parse().unwrap();
        assert_ne!(one.bound_to(), ClaimAttempt { id, ..one.clone() }.bound_to());
    }
}
