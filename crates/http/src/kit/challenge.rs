/// What `WWW-Authenticate` says on a 401.
pub(crate) struct Challenges {
    missing: String,
    refused: String,
}

impl Challenges {
    /// Those of the server at this origin, with the place of its metadata (RFC 9728 §5.1).
    pub(crate) fn new(public_url: &str) -> Self {
        let origin = public_url.trim_end_matches('/');
        let metadata = format!("{origin}/.well-known/oauth-protected-resource");
        let missing = format!("Bearer resource_metadata=\"{metadata}\"");
        let refused = format!("{missing}, error=\"invalid_token\"");
        Self { missing, refused }
    }

    /// An error is named only when a token was sent (RFC 6750 §3.1).
    pub(super) fn challenge(&self, token_refused: bool) -> &str {
        if token_refused { &self.refused } else { &self.missing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w6_the_challenge_leads_to_the_metadata_of_the_public_origin() {
        let challenges = Challenges::new("https://auth.example.com/");
        let metadata = "https://auth.example.com/.well-known/oauth-protected-resource";
        let missing = format!("Bearer resource_metadata=\"{metadata}\"");
        assert_eq!(challenges.challenge(false), missing);
        assert_eq!(challenges.challenge(true), format!("{missing}, error=\"invalid_token\""));
    }
}
