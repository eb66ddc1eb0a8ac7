mod agents;
mod profiles;

use std::{collections::BTreeMap, fmt::Write as _};

use config::Config;

use super::{
    known::Known,
    layers::{Sources, variable},
    *,
};

fn load(dev: bool, file: &str, environment: &[(&str, &str)]) -> Result<Loaded, Vec<String>> {
    let file = (!file.is_empty()).then(|| ("portcullis.toml".to_owned(), file.to_owned()));
    let variables = environment.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    let sources = Sources { file, environment: variables.collect::<BTreeMap<_, _>>() };
    let lines = |problems: Problems| problems.0.iter().map(ToString::to_string).collect();
    Loaded::from_sources(&sources, dev).map_err(lines)
}

fn problems(file: &str, environment: &[(&str, &str)]) -> Vec<String> {
    load(false, file, environment).unwrap_err()
}

fn start(dev: bool, insecure_http: bool, environment: &[(&str, &str)]) -> Vec<String> {
    let loaded = load(dev, "", environment).unwrap();
    let refused = loaded.check_start(StartMode { insecure_http });
    refused
        .map_or_else(|problems| problems.0.iter().map(ToString::to_string).collect(), |()| vec![])
}

/// Everything that a start without `--dev` wants.
const COMPLETE: [(&str, &str); 6] = [
    ("PORTCULLIS__PUBLIC_URL", "https://auth.example.com"),
    ("PORTCULLIS__DATABASE__URL", "sqlite:///var/lib/auth.db"),
    ("PORTCULLIS__MASTER_KEY_FILE", "/var/lib/master.key"),
    ("PORTCULLIS__MAIL__TRANSPORT", "directory"),
    ("PORTCULLIS__MAIL__DIRECTORY", "/tmp"),
    ("PORTCULLIS__MAIL__FROM", "Portcullis <no-reply@example.com>"),
];

fn complete_with(changes: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    let kept = |(name, _): &&(&str, &str)| changes.iter().all(|(changed, _)| changed != name);
    let base = COMPLETE.iter().filter(kept).copied();
    base.chain(changes.iter().copied().filter(|(_, value)| !value.is_empty())).collect()
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
    let file = "[tokens]\naccess_ttl = \"5m\"\n[refresh]\nidle = \"7d\"\n\
                [rate_limits.register]\nlimit = 7\n";
    let loaded = load(false, file, &[("PORTCULLIS__TOKENS__ACCESS_TTL", "2m")]).unwrap();
    let settings = &loaded.settings;
    assert_eq!(settings.tokens.access_ttl.to_string(), "2m");
    assert_eq!(settings.refresh.idle.to_string(), "7d");
    assert_eq!(settings.refresh.absolute.to_string(), "180d");
    assert_eq!(settings.rate_limits.register.limit, 7);
    assert_eq!(settings.rate_limits.register.window.to_string(), "1h", "the rest stays default");
}

#[test]
fn every_kind_of_value_can_come_from_the_environment() {
    let loaded = load(
        false,
        "",
        &[
            ("PORTCULLIS__TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.1"),
            ("PORTCULLIS__HTTP__BIND", "[::1]:9000"),
            ("PORTCULLIS__HTTP__WORKERS", "3"),
            ("PORTCULLIS__RATE_LIMITS__ENABLED", "false"),
            ("PORTCULLIS__RATE_LIMITS__SIGN_IN__LIMIT", "50"),
            ("PORTCULLIS__MAIL__SMTP__PASSWORD", "00123"),
            ("PORTCULLIS__PEOPLE__AUDIENCE", ""),
            ("PORTCULLIS_TEST_DATABASE_URL", "not ours"),
        ],
    );
    let settings = loaded.unwrap().settings;
    assert_eq!(settings.trusted_proxies.0.len(), 2);
    assert_eq!(settings.http.bind.to_string(), "[::1]:9000");
    assert_eq!(settings.http.workers, Some(3));
    assert!(!settings.rate_limits.enabled);
    assert_eq!(settings.rate_limits.sign_in.limit, 50);
    let password = settings.mail.smtp.password.unwrap().0;
    assert_eq!(portcullis_kernel::ExposeSecret::expose_secret(&password), "00123");
    assert_eq!(settings.people.audience, None, "an empty variable is as none");
}

#[test]
fn a_list_in_a_file_is_an_array() {
    let loaded = load(false, "trusted_proxies = [\"10.0.0.0/8\", \"2001:db8::/32\"]", &[]);
    assert_eq!(loaded.unwrap().settings.trusted_proxies.0.len(), 2);
}

#[test]
fn every_wrong_key_is_named_with_what_is_allowed() {
    let found = problems(
        "publik_url = \"x\"\n[http]\nbnid = 1\n[tokens]\nlifetime_of_everything = 3\n",
        &[("PORTCULLIS__HTPP__BIND", "127.0.0.1:1"), ("PORTCULLIS__DATABASE", "sqlite:///x")],
    );
    assert_eq!(
        found,
        [
            "database: is a section, not a setting; it holds acquire_timeout, connect_timeout, \
             lock_timeout, max_connections, sqlite_busy_timeout, sqlite_synchronous, \
             statement_timeout, url, url_file (set in PORTCULLIS__DATABASE)",
            "htpp.bind: there is no such setting; is http.bind (PORTCULLIS__HTTP__BIND) meant? \
             (set in PORTCULLIS__HTPP__BIND)",
            "http.bnid: there is no such setting; is http.bind (PORTCULLIS__HTTP__BIND) meant? \
             (set in portcullis.toml)",
            "publik_url: there is no such setting; is public_url (PORTCULLIS__PUBLIC_URL) meant? \
             (set in portcullis.toml)",
            "tokens.lifetime_of_everything: there is no such setting; tokens holds access_ttl \
             (set in portcullis.toml)",
        ]
    );
    assert_eq!(
        problems("http = 3", &[]),
        ["http: is a section, not a setting; it holds bind, shutdown_timeout, workers \
          (set in portcullis.toml)"]
    );
}

#[test]
fn every_unreadable_value_is_reported_at_once() {
    let found = problems(
        "trusted_proxies = [\"10.0.0.0/8\", \"proxy\"]\n[tokens]\naccess_ttl = 900\n[log]\nformat = \"xml\"\n",
        &[("PORTCULLIS__HTTP__WORKERS", "many"), ("PORTCULLIS__PUBLIC_URL", "example.com/auth")],
    );
    assert_eq!(
        found,
        [
            "http.workers: must be a whole number, not string \"many\" \
             (set in PORTCULLIS__HTTP__WORKERS)",
            "log.format: must be one of auto, text, json, not \"xml\" (set in portcullis.toml)",
            "public_url: must be an origin such as https://auth.example.com \
             (set in PORTCULLIS__PUBLIC_URL)",
            "tokens.access_ttl: must be a length of time such as 30s, 15m or 30d, not \"900\" \
             (set in portcullis.toml)",
            "trusted_proxies: must be addresses or networks such as 192.0.2.1 or 10.0.0.0/8, \
             not \"proxy\" (set in portcullis.toml)",
        ]
    );
}

#[test]
fn values_out_of_their_range_are_reported_at_once() {
    let found = problems(
        "[passwords]\nmin_length = 4\n[passwords.argon2]\nmemory_kib = 8\n[refresh]\nabsolute = \"1d\"\n\
         [keys]\nlinger = \"1m\"\n[rate_limits.register]\nlimit = 0\n[people]\nissuer = \" \"\n",
        &[],
    );
    let keys: Vec<_> = found.iter().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(
        keys,
        [
            "keys.linger",
            "passwords.argon2.memory_kib",
            "passwords.min_length",
            "people.issuer",
            "rate_limits.register.limit",
            "refresh.absolute",
        ]
    );
}

#[test]
fn a_broken_file_is_one_line_that_quotes_nothing() {
    let found = problems("master_key = s3cret\n", &[]);
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("portcullis.toml: TOML parse error at line 1"), "{found:?}");
    assert!(!found[0].contains("s3cret") && !found[0].contains('\n'), "{found:?}");
}

#[test]
fn a_secret_and_its_file_are_not_both_given() {
    for (key, file) in [
        ("MASTER_KEY", "PORTCULLIS__MASTER_KEY_FILE"),
        ("DATABASE__URL", "PORTCULLIS__DATABASE__URL_FILE"),
        ("MAIL__SMTP__PASSWORD", "PORTCULLIS__MAIL__SMTP__PASSWORD_FILE"),
    ] {
        let key = format!("PORTCULLIS__{key}");
        let found = problems("", &[(&key, "s3cret"), (file, "/tmp/file")]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("are both set; keep one of them"), "{found:?}");
        assert!(!found[0].contains("s3cret"));
    }
}

#[test]
fn secrets_are_never_shown() {
    let loaded = load(
        false,
        "",
        &[
            ("PORTCULLIS__MASTER_KEY", "s3cret-master"),
            ("PORTCULLIS__DATABASE__URL", "postgres://portcullis:s3cret@db/auth"),
            ("PORTCULLIS__MAIL__SMTP__PASSWORD", "s3cret-mail"),
        ],
    )
    .unwrap();
    let mut shown = loaded.show();
    assert!(shown.contains("url = \"postgres://portcullis:(hidden)@db/auth\""), "{shown}");
    assert!(shown.contains("master_key = \"(hidden)\" # PORTCULLIS__MASTER_KEY"), "{shown}");
    write!(shown, "{loaded:?}").unwrap();
    assert!(!shown.contains("s3cret"), "{shown}");
}

#[test]
fn what_is_shown_can_be_read_again() {
    let shown = load(true, "", &[]).unwrap().show();
    assert_eq!(load(true, &shown, &[]).unwrap().show().replace(" # portcullis.toml", ""), shown);
}

#[test]
fn a_secret_can_stand_in_a_file_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("url");
    let file = path.to_str().unwrap();
    let target =
        || load(false, "", &[("PORTCULLIS__DATABASE__URL_FILE", file)]).unwrap().database();
    let missing = target().unwrap_err().to_string();
    assert!(missing.starts_with("database.url_file: cannot read"), "{missing}");
    for (text, good) in [("sqlite:///a.db\n", true), ("", false), ("\n", false), ("s3cret", false)]
    {
        std::fs::write(&path, text).unwrap();
        match target() {
            Ok(DatabaseTarget::Sqlite(path)) => assert!(good && path.as_os_str() == "/a.db"),
            Ok(DatabaseTarget::Postgres(_)) => panic!("{text}"),
            Err(problem) => assert!(!good && !problem.to_string().contains("s3cret"), "{problem}"),
        }
    }
}

#[test]
fn a_variable_with_one_underscore_too_few_is_told() {
    for slip in ["PORTCULLIS_HTTP__BIND", "PORTCULLIS_HTTP_BIND", "PORTCULLIS_PUBLIC_URL"] {
        assert_eq!(
            problems("", &[(slip, "127.0.0.1:1"), ("PORTCULLIS_PORT", "tcp://a")]),
            [format!("{slip}: settings begin with PORTCULLIS__, two underscores")]
        );
    }
}

#[test]
fn a_start_without_dev_wants_everything_and_says_what() {
    assert_eq!(start(false, false, &COMPLETE), [""; 0]);
    let found = start(false, false, &[]);
    let keys: Vec<_> = found.iter().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(keys, ["database.url", "mail.transport", "master_key", "public_url"]);
    assert!(found[2].contains("run `portcullis keys new-master --file PATH`"));
    assert!(found[3].contains("--dev"));
}

#[test]
fn an_http_origin_must_be_said_out_loud() {
    let http = complete_with(&[("PORTCULLIS__PUBLIC_URL", "http://127.0.0.1:8080")]);
    let found = start(false, false, &http);
    assert!(found.len() == 1 && found[0].contains("--insecure-http"), "{found:?}");
    assert!(found[0].ends_with("(set in PORTCULLIS__PUBLIC_URL)"));
    assert_eq!(start(false, true, &http), [""; 0]);
}

#[test]
fn a_start_without_dev_wants_a_real_mail_transport() {
    for transport in ["inbox", "none"] {
        let found =
            start(false, false, &complete_with(&[("PORTCULLIS__MAIL__TRANSPORT", transport)]));
        assert!(found[0].starts_with("mail.transport: must be smtp or directory"), "{found:?}");
    }
    let found = start(false, false, &complete_with(&[("PORTCULLIS__MAIL__DIRECTORY", "")]));
    assert_eq!(found, ["mail.directory: is not set, but mail.transport is directory"]);
    let smtp = [
        ("PORTCULLIS__MAIL__TRANSPORT", "smtp"),
        ("PORTCULLIS__MAIL__FROM", ""),
        ("PORTCULLIS__MAIL__SMTP__USERNAME", "jane"),
    ];
    let found = start(false, false, &complete_with(&smtp));
    let keys: Vec<_> = found.iter().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(keys, ["mail.from", "mail.smtp.host", "mail.smtp.password"]);
}

#[test]
fn m8_mail_in_clear_is_for_this_machine_alone() {
    let smtp = |host: &'static str, tls: &'static str| {
        let settings = [
            ("PORTCULLIS__MAIL__TRANSPORT", "smtp"),
            ("PORTCULLIS__MAIL__SMTP__HOST", host),
            ("PORTCULLIS__MAIL__SMTP__TLS", tls),
        ];
        start(false, false, &complete_with(&settings))
    };
    assert_eq!(smtp("127.0.0.1", "none"), [""; 0]);
    assert_eq!(smtp("mail.example.com", "starttls"), [""; 0]);
    let found = smtp("mail.example.com", "none");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("mail.smtp.tls: none is for a mail server on this machine"));
    assert!(found[0].ends_with("(set in PORTCULLIS__MAIL__SMTP__TLS)"), "{found:?}");
    assert!(smtp("mail example com", "starttls")[0].starts_with("mail.smtp.host: "));
}

#[test]
fn what_is_mailed_and_who_may_register_has_bounds() {
    let found = problems(
        "[people]\ncode_tries = 11\nreset_ttl = \"2d\"\nregistration = \"perhaps\"\n\
         allowed_domains = [\"example\"]\n[branding]\nservice_name = \"\"\n[mail]\nworkers = 0\n",
        &[("PORTCULLIS__PEOPLE__CODE_TTL", "2h")],
    );
    let keys: Vec<_> = found.iter().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(keys, ["people.allowed_domains", "people.registration"], "{found:?}");
    let found = problems(
        "[people]\ncode_tries = 11\nreset_ttl = \"2d\"\n[branding]\nservice_name = \" A\"\n\
         [mail]\nworkers = 0\n",
        &[("PORTCULLIS__PEOPLE__CODE_TTL", "2h")],
    );
    let keys: Vec<_> = found.iter().map(|line| line.split(':').next().unwrap()).collect();
    let wrong = ["branding.service_name", "mail.workers", "people.code_tries", "people.code_ttl"];
    assert_eq!(keys, [&wrong[..], &["people.reset_ttl"]].concat());
}

#[test]
fn a_database_url_of_another_kind_is_refused_without_being_shown() {
    for url in ["mysql://a:s3cret@b/c", "auth.db", "sqlite://", "sqlite:///a.db?mode=rw"] {
        let found = start(false, false, &complete_with(&[("PORTCULLIS__DATABASE__URL", url)]));
        assert!(found.len() == 1 && found[0].starts_with("database.url: must"), "{found:?}");
        assert!(!found[0].contains("s3cret"));
    }
}

#[test]
fn development_needs_nothing_and_stays_on_this_machine() {
    assert_eq!(start(true, false, &[]), [""; 0]);
    let settings =
        load(true, "", &[("PORTCULLIS__HTTP__BIND", "127.0.0.1:9000")]).unwrap().settings;
    assert_eq!(settings.public_url.unwrap().as_str(), "http://127.0.0.1:9000");
    let found = start(true, true, &[("PORTCULLIS__HTTP__BIND", "0.0.0.0:8080")]);
    assert!(found.len() == 1 && found[0].contains("--dev listens on a loopback address only"));
    let found = start(true, true, &[("PORTCULLIS__PUBLIC_URL", "https://auth.example.com")]);
    assert!(found.len() == 1 && found[0].contains("--dev wants a loopback address"));
}

#[test]
fn development_fills_no_gap_that_is_filled() {
    let loaded = load(
        true,
        "",
        &[
            ("PORTCULLIS__DATABASE__URL_FILE", "/tmp/url"),
            ("PORTCULLIS__MASTER_KEY", "x"),
            ("PORTCULLIS__MAIL__TRANSPORT", "none"),
        ],
    );
    let settings = loaded.unwrap().settings;
    assert!(settings.database.url.is_none() && settings.master_key_file.is_none());
    assert_eq!(settings.mail.transport.to_string(), "none");
}

#[test]
fn every_setting_is_documented_with_its_variable_and_its_default() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let page = std::fs::read_to_string(page).unwrap();
    let defaults = Config::try_from(&Settings::default()).unwrap().cache;
    for key in Known::from(&defaults).settings() {
        let row = format!("| `{key}` | ");
        let row = page.lines().find(|line| line.starts_with(&row));
        let row = row.unwrap_or_else(|| panic!("docs/configuration.md has no row for {key}"));
        assert!(row.contains(&format!("`{}`", variable(key))), "{row}");
        let default = layers::find(&defaults, key).unwrap().clone().into_string();
        if let Ok(default) = default.map(|text| text.trim().to_owned()) {
            assert!(
                default.is_empty() || row.contains(&format!("| `{default}` |")),
                "{default}: {row}"
            );
        }
    }
    let rows = page.lines().filter(|line| line.starts_with("| `") && line.contains("PORTCULLIS__"));
    for row in rows {
        let key = row.trim_start_matches("| `").split('`').next().unwrap();
        assert!(layers::find(&defaults, key).is_some(), "there is no setting {key}");
    }
}
