use std::net::IpAddr;

/// How many characters of a `User-Agent` are kept.
const USER_AGENT_CHARS: usize = 256;

/// Where a request came from: what audit events and sessions remember of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The request id that is in every log line and in the answer.
    pub request_id: Option<String>,
    /// The client's address, after the rules for trusted proxies.
    pub client: Option<IpAddr>,
    user_agent: Option<String>,
}

impl Origin {
    /// An origin for work that no request asked for, such as a command line.
    pub fn local() -> Self {
        Self::default()
    }

    /// An origin of a network request.
    pub fn new(request_id: impl Into<String>, client: IpAddr, user_agent: Option<&str>) -> Self {
        Self {
            request_id: Some(request_id.into()),
            client: Some(client),
            user_agent: user_agent.and_then(printable),
        }
    }

    /// The client's description of itself: at most 256 characters, none of them a control.
    pub fn user_agent(&self) -> Option<&str> {
        self.user_agent.as_deref()
    }
}

fn printable(raw: &str) -> Option<String> {
    let kept: String = raw.chars().filter(|c| !c.is_control()).take(USER_AGENT_CHARS).collect();
    let kept = kept.trim();
    (!kept.is_empty()).then(|| kept.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_agent_is_cut_and_stripped_of_controls() {
        let client = IpAddr::from([127, 0, 0, 1]);
        let origin = Origin::new("r", client, Some("curl\u{1b}[31m/8\r\n"));
        assert_eq!(origin.user_agent(), Some("curl[31m/8"));
        let long = Origin::new("r", client, Some(&"x".repeat(5000)));
        assert_eq!(long.user_agent().map(str::len), Some(256));
        assert_eq!(Origin::new("r", client, Some(" \n")).user_agent(), None);
    }
}
