use super::{load, problems};

#[test]
fn what_agents_get_is_set_in_a_file_or_in_the_environment() {
    let file = "[agents]\nregistration = \"closed\"\nalgorithm = \"EdDSA\"\nkey_prefix = \"vj_\"\n\
                scopes = [\"a:read\", \"a:write\"]\ndefault_scopes = [\"a:read\"]\nmax_keys = 3\n\
                [agents.recovery_tries]\nown = 4\n\
                [rate_limits.agents.register]\nlimit = 7\n[rate_limits.oauth.anonymous]\nlimit = 8\n\
                [rate_limits.credits.charge]\nlimit = 9\n";
    let environment = [
        ("PORTCULLIS__AGENTS__SCOPES", "a:read, a:write,b"),
        ("PORTCULLIS__AGENTS__AUDIENCE", "urn:example:api"),
        ("PORTCULLIS__AGENTS__TOKEN_TTL", "5m"),
        ("PORTCULLIS__RATE_LIMITS__AGENTS__TOKEN__WINDOW", "2m"),
        ("PORTCULLIS__RATE_LIMITS__CREDITS__TOP_UP__LIMIT", "10"),
    ];
    let options = load(false, file, &environment).unwrap().settings.engine();
    let agents = &options.agents;
    assert!(!agents.open);
    assert_eq!(agents.token.algorithm.as_str(), "EdDSA");
    assert_eq!(agents.token.audience, "urn:example:api");
    assert_eq!(agents.token.ttl, time::Duration::minutes(5));
    assert_eq!(agents.key_prefix.as_str(), "vj_");
    assert_eq!(agents.scopes.to_string(), "a:read a:write b");
    assert_eq!(agents.default_scopes.to_string(), "a:read");
    assert_eq!(
        (agents.most_keys, agents.recovery_tries.own, agents.recovery_tries.other),
        (3, 4, 3)
    );
    let credits = &options.limits.credits;
    assert_eq!((credits.charge.limit, credits.top_up.limit), (9, 10));
    let limits = &options.limits.agents;
    assert_eq!((limits.register.limit, limits.oauth_anonymous.limit), (7, 8));
    assert_eq!((limits.token.limit, limits.token.window), (600, time::Duration::minutes(2)));
}

#[test]
fn what_cannot_be_for_agents_is_told_in_one_line_each() {
    let found = problems(
        "[agents]\nregistration = \"invite\"\nalgorithm = \"HS256\"\nkey_prefix = \"SK\"\n\
         scopes = [\"messages:read\", \"two words\"]\n",
        &[("PORTCULLIS__AGENTS__MAX_KEYS", "many")],
    );
    assert_eq!(
        found,
        [
            "agents.algorithm: must be one of ES256, EdDSA, RS256, not \"HS256\" \
             (set in portcullis.toml)",
            "agents.key_prefix: must be 2 to 16 lower-case letters, digits or underscores, with an \
             underscore at the end (set in portcullis.toml)",
            "agents.max_keys: must be a whole number, not string \"many\" \
             (set in PORTCULLIS__AGENTS__MAX_KEYS)",
            "agents.registration: must be one of open, closed, not \"invite\" \
             (set in portcullis.toml)",
            "agents.scopes: must be scopes such as messages:read, each at most 64 printable ASCII \
             characters without space, comma, quotes or backslash, not \"two words\" \
             (set in portcullis.toml)",
        ]
    );
}

#[test]
fn what_is_set_for_agents_has_bounds() {
    let found = problems(
        "[agents]\naudience = \"api\"\ntoken_ttl = \"25h\"\nkey_prefix = \"rk_\"\nscopes = []\n\
         max_keys = 0\nkeep_dead_keys = \"1h\"\nverification_ttl = \"31d\"\nrecovery_ttl = \"2h\"\n\
         known_network_for = \"0s\"\n\
         [agents.recovery_tries]\nown = 11\nother = 0\nown_of_several = 11\nother_of_several = 0\n\
         [rate_limits.agents.token]\nlimit = 0\n[rate_limits.oauth.resource_server]\nwindow = \"0s\"\n\
         [rate_limits.credits.principal]\nlimit = 0\n",
        &[],
    );
    let keys: Vec<_> = found.iter().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(
        keys,
        [
            "agents.audience",
            "agents.keep_dead_keys",
            "agents.key_prefix",
            "agents.known_network_for",
            "agents.max_keys",
            "agents.recovery_tries.other",
            "agents.recovery_tries.other_of_several",
            "agents.recovery_tries.own",
            "agents.recovery_tries.own_of_several",
            "agents.recovery_ttl",
            "agents.scopes",
            "agents.token_ttl",
            "agents.verification_ttl",
            "rate_limits.agents.token.limit",
            "rate_limits.credits.principal.limit",
            "rate_limits.oauth.resource_server.window",
        ],
        "{found:?}"
    );
}

#[test]
fn the_usual_scopes_are_among_all() {
    let set = |names: &str| load(false, &format!("[agents]\ndefault_scopes = [{names}]\n"), &[]);
    assert!(set("\"presence:update\", \"messages:read\"").is_ok());
    let found = set("\"messages:read\", \"messages:delete\"").unwrap_err();
    assert_eq!(
        found,
        ["agents.default_scopes: must be among agents.scopes (messages:read messages:write \
          conversations:read presence:update) (set in portcullis.toml)"]
    );
    assert!(set("").unwrap_err()[0].starts_with("agents.default_scopes: must name 1 to 64 scopes"));
}

#[test]
fn a_retired_key_is_published_for_as_long_as_any_token_lives() {
    let linger = |file: &str| load(false, &format!("[keys]\nlinger = \"1h\"\n{file}"), &[]);
    assert!(linger("").is_ok());
    for (section, setting) in [("tokens", "access_ttl"), ("agents", "token_ttl")] {
        let found = linger(&format!("[{section}]\n{setting} = \"2h\"\n")).unwrap_err();
        let text = format!("keys.linger: must not be shorter than {section}.{setting} (2h)");
        assert!(found.len() == 1 && found[0].starts_with(&text), "{found:?}");
    }
}
