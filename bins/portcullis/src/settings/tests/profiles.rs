use portcullis_flows::EngineOptions;

use super::load;

/// What a profile makes of the built-in defaults.
fn profile(name: &str) -> EngineOptions {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/profiles");
    let text = std::fs::read_to_string(folder.join(name)).unwrap();
    let public_url = ("PORTCULLIS__PUBLIC_URL", "https://auth.example.com");
    load(false, &text, &[public_url]).unwrap().settings.engine()
}

#[test]
fn every_profile_is_known_here() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/profiles");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["conformance.toml", "fluxra.toml", "vidivo.toml", "vidjutsu.toml"]);
}

#[test]
fn people_have_the_issuer_of_their_documentation() {
    for name in ["conformance.toml", "vidivo.toml"] {
        assert_eq!(profile(name).access.issuer, "api.vidivo.app", "{name}");
    }
}

#[test]
fn agents_have_the_times_and_scopes_of_their_documentation() {
    for name in ["conformance.toml", "fluxra.toml"] {
        let agents = profile(name).agents;
        assert!(agents.open, "{name}");
        let seconds = [agents.token.ttl, agents.verification, agents.recovery];
        assert_eq!(seconds.map(time::Duration::whole_seconds), [3600, 3600, 900], "{name}");
        let scopes = "messages:read messages:write conversations:read presence:update";
        assert_eq!(agents.default_scopes.to_string(), scopes, "{name}");
    }
}

#[test]
fn registrations_have_the_scopes_and_prefixes_of_their_documentation() {
    for name in ["conformance.toml", "vidjutsu.toml"] {
        let options = profile(name).agent_registration;
        assert_eq!(options.pre_claim_scopes.to_string(), "api.read", "{name}");
        assert_eq!(options.post_claim_scopes.to_string(), "api.read api.write", "{name}");
        assert_eq!(options.anonymous_prefix.as_str(), "vj_anon_", "{name}");
        assert_eq!(options.claimed_prefix.as_str(), "vj_live_", "{name}");
    }
}
