use bytes::Bytes;
use portcullis_kernel::Scopes;
use serde::Serialize;

use crate::{GuardOptions, InvalidOptions, url};

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The document in which an API says whose tokens it takes (RFC 9728), and where it is.
#[derive(Clone, Debug)]
pub struct Metadata {
    url: String,
    path: String,
    document: Bytes,
}

/// RFC 9728 §2.
#[derive(Serialize)]
struct Document<'o> {
    resource: &'o str,
    authorization_servers: [&'o str; 1],
    bearer_methods_supported: [&'static str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    scopes_supported: Option<Vec<&'o str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_name: Option<&'o str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_documentation: Option<&'o str>,
}

impl Metadata {
    /// The `Cache-Control` with which it is served.
    pub const CACHE_CONTROL: &'static str = "public, max-age=300";

    pub(crate) fn new(options: &GuardOptions) -> Result<Self, InvalidOptions> {
        let wrong = |why| InvalidOptions { option: "resource", why };
        let resource = url::parse(&options.resource).ok_or_else(|| wrong("must be a URL"))?;
        let (scheme, authority) = resource.scheme_str().zip(resource.authority()).unzip();
        let (scheme, authority) = (scheme.unwrap_or_default(), authority.map(ToString::to_string));
        // RFC 9728 §3.1: it goes between host and path, which loses the slash where that is all of it.
        let tail = if resource.path() == "/" { "" } else { resource.path() };
        let path = format!("{WELL_KNOWN}{tail}");
        let about = &options.about;
        let document = serde_json::to_vec(&Document {
            resource: &options.resource,
            authorization_servers: [&options.issuer],
            bearer_methods_supported: ["header"],
            scopes_supported: about.scopes.as_ref().map(|scopes| Scopes::iter(scopes).collect()),
            resource_name: about.name.as_deref(),
            resource_documentation: about.documentation.as_deref(),
        });
        let document = document.map_err(|_| wrong("cannot be told to clients"))?;
        let url = format!("{scheme}://{}{path}", authority.unwrap_or_default());
        Ok(Self { url, path, document: document.into() })
    }

    /// Where clients find it; every 401 names it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The path at which the API has to serve it: `/.well-known/oauth-protected-resource`, and after it
    /// the path of the resource, if it has one.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The document, `application/json`. It is for everybody: serve it with [`Self::CACHE_CONTROL`] and
    /// `Access-Control-Allow-Origin: *`.
    pub fn document(&self) -> &Bytes {
        &self.document
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::About;

    fn metadata(resource: &str, about: About) -> Metadata {
        let options = GuardOptions::new("https://auth.example", resource);
        Metadata::new(&GuardOptions { about, ..options }).unwrap()
    }

    #[test]
    fn it_stands_between_host_and_path() {
        let well_known = "/.well-known/oauth-protected-resource";
        for (resource, host, path) in [
            ("https://api.example", "https://api.example", ""),
            ("https://api.example/", "https://api.example", ""),
            ("http://127.0.0.1:81/v1", "http://127.0.0.1:81", "/v1"),
            ("https://api.example/a/b/", "https://api.example", "/a/b/"),
        ] {
            let metadata = metadata(resource, About::default());
            assert_eq!(metadata.path(), format!("{well_known}{path}"));
            assert_eq!(metadata.url(), format!("{host}{well_known}{path}"));
        }
    }

    #[test]
    fn it_says_whose_tokens_are_taken_and_what_is_known_besides() {
        let read = |about| {
            let metadata = metadata("https://api.example/v1", about);
            serde_json::from_slice::<Value>(metadata.document()).unwrap()
        };
        let mut expected = json!({
            "resource": "https://api.example/v1",
            "authorization_servers": ["https://auth.example"],
            "bearer_methods_supported": ["header"],
        });
        assert_eq!(read(About::default()), expected);
        expected["scopes_supported"] = json!(["api.read", "api.write"]);
        expected["resource_name"] = json!("Notes");
        expected["resource_documentation"] = json!("https://api.example/docs");
        let about = About {
            name: Some("Notes".into()),
            documentation: Some("https://api.example/docs".into()),
            scopes: Some("api.read api.write".parse().unwrap()),
        };
        assert_eq!(read(about), expected);
    }
}
