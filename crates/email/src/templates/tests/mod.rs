mod agents;
mod letters;
mod replacing;

use super::*;

const PUBLIC_URL: &str = "https://auth.example.com";

fn branding() -> Branding {
    Branding { service: "Portcullis".to_owned(), public_url: PUBLIC_URL.to_owned() }
}

fn templates() -> Templates {
    Templates::new(branding(), BTreeMap::new()).unwrap()
}
