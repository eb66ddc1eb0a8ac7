use std::net::IpAddr;

use portcullis_audit::{Action, Actor};
use portcullis_identity::{PlainServerSecret, ResourceServer};
use portcullis_kernel::{Field, Origin, ResourceServerId, Scopes, codes};
use portcullis_limits::{BucketKey, Standing};
use portcullis_storage::StorageExt;

use crate::{
    Engine, Fault, LimitClass, LimitError, Limited,
    agents::{AdmittedAgent, InvalidInput, Judge, PresentedBasic},
    error::classify,
};

/// The longest name, in characters.
const NAME_CHARS: usize = 100;
/// The longest audience, in bytes.
const AUDIENCE_BYTES: usize = 512;

/// A resource server as an operator wants it.
#[derive(Clone, Debug, Default)]
pub struct AddServer {
    /// What operators call it.
    pub name: Field<String>,
    /// The `aud` of tokens that are for it alone: an absolute URI without fragment (RFC 8707 §2).
    pub audience: Field<String>,
    /// The scopes that it knows.
    pub scopes: Field<Vec<String>>,
    /// Whether it sees people's tokens that are for everybody.
    pub people: bool,
}

/// A resource server that was just added.
#[derive(Debug)]
pub struct AddedServer {
    /// The server.
    pub server: ResourceServer,
    /// Its secret; shown once.
    pub secret: PlainServerSecret,
}

/// Which limits a request of a resource server counts towards. Each kind has limits of its own: neither
/// many charges nor many questions stop the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerLimit {
    /// A question about a key or token, or its revocation.
    OAuth,
    /// A charge.
    Charge,
}

/// Why no resource server was added.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AddServerError {
    /// The input breaks a rule.
    #[error(transparent)]
    Invalid(#[from] InvalidInput),
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(AddServerError {} via { Invalid, Fault });

/// Why a resource server's credential was not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerAuthError {
    /// None was sent, or it is not that of a resource server.
    #[error("Authenticate as a resource server: its id and secret by HTTP Basic.")]
    Refused(Option<Standing>),
    /// Over a limit, or it could not be told.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// A fault of this side.
    #[error(transparent)]
    Fault(#[from] Fault),
}

classify!(ServerAuthError {
    Self::Refused(_) => (Unauthenticated, INVALID_CLIENT),
} via { Limit, Fault });

impl Limited for ServerAuthError {
    fn standing(&self) -> Option<Standing> {
        match self {
            Self::Limit(error) => error.standing(),
            _ => None,
        }
    }
}

impl Engine {
    /// Accepts a resource server's secret and counts the request: an accepted one towards the server, any
    /// other towards the client address, which is looked at first.
    ///
    /// # Errors
    /// [`ServerAuthError`].
    pub fn admit_server(
        &self,
        presented: Option<PresentedBasic>,
        limit: ServerLimit,
        client: IpAddr,
        origin: &Origin,
    ) -> Result<AdmittedAgent<ResourceServer>, ServerAuthError> {
        let limits = &self.options.limits;
        let (class, policy) = match limit {
            ServerLimit::OAuth => (LimitClass::OAuthAnonymous, limits.agents.resource_server),
            ServerLimit::Charge => (LimitClass::Credits, limits.credits.charge),
        };
        self.refuse_exhausted_address(class, client)?;
        if let Some(server) = self.find_server(presented)? {
            let bucket = BucketKey::principal(&policy, server.id);
            let standing = self.count(bucket, policy, origin)?;
            return Ok(AdmittedAgent { caller: server, standing });
        }
        Err(ServerAuthError::Refused(self.admit_address(class, client, origin)?))
    }

    fn find_server(
        &self,
        presented: Option<PresentedBasic>,
    ) -> Result<Option<ResourceServer>, Fault> {
        let Some(PresentedBasic { id, secret }) = presented else { return Ok(None) };
        let Some(secret) = PlainServerSecret::parse(secret) else { return Ok(None) };
        let digest = secret.digest();
        let found = self.storage.read(|uow| uow.resource_servers().find_by_secret(&digest))?;
        Ok(found.filter(|server| server.id.to_string() == id))
    }

    /// Adds a resource server.
    ///
    /// # Errors
    /// [`AddServerError`]; nothing is then stored.
    pub fn add_server(
        &self,
        input: AddServer,
        actor: Actor,
        origin: &Origin,
    ) -> Result<AddedServer, AddServerError> {
        let (name, audience, scopes) = judge(input.name, input.audience, input.scopes)?;
        let now = self.now();
        let entropy = self.entropy.as_ref();
        let secret = PlainServerSecret::generate(entropy).map_err(Fault::from)?;
        let server = ResourceServer {
            id: ResourceServerId::generate(entropy).map_err(Fault::from)?,
            name,
            digest: secret.digest(),
            audience,
            scopes,
            people: input.people,
            created_at: now,
        };
        let event = self.event(Action::ResourceServerAdded, actor, origin, now);
        let event = event.map_err(Fault::from)?.with_detail(server.id.to_string());
        self.storage.transact(|uow| -> Result<(), Fault> {
            uow.resource_servers().insert(&server)?;
            Ok(uow.audit().append(&event)?)
        })?;
        Ok(AddedServer { server, secret })
    }

    /// Every resource server, in the order of their making.
    ///
    /// # Errors
    /// A fault of this side.
    pub fn list_servers(&self) -> Result<Vec<ResourceServer>, Fault> {
        Ok(self.storage.read(|uow| uow.resource_servers().list())?)
    }

    /// Removes a resource server, named by its id; says whether there was one. Its secret is dead at once.
    ///
    /// # Errors
    /// A fault of this side.
    pub fn remove_server(&self, id: &str, actor: Actor, origin: &Origin) -> Result<bool, Fault> {
        let Ok(id) = id.parse::<ResourceServerId>() else { return Ok(false) };
        let now = self.now();
        let event = self.event(Action::ResourceServerRemoved, actor, origin, now)?;
        let event = event.with_detail(id.to_string());
        self.storage.transact(|uow| {
            let removed = uow.resource_servers().remove(id)?;
            if removed {
                uow.audit().append(&event)?;
            }
            Ok(removed)
        })
    }
}

type Judged = (String, Option<String>, Scopes);

fn judge(
    name: Field<String>,
    audience: Field<String>,
    scopes: Field<Vec<String>>,
) -> Result<Judged, InvalidInput> {
    let mut judge = Judge::default();
    let code = codes::VALIDATION_ERROR;
    let name = judge.required("name", code, name, |raw| {
        let name = raw.trim().to_owned();
        let fits = (1..=NAME_CHARS).contains(&name.chars().count());
        let fits = fits && !name.chars().any(char::is_control);
        if fits { Ok(name) } else { Err("must be 1 to 100 characters, without control characters") }
    });
    let audience = judge.optional("audience", code, audience, |raw| {
        if is_resource(&raw) { Ok(raw) } else { Err("must be an absolute URI without a fragment") }
    });
    let scopes = judge.required("scopes", code, scopes, Scopes::new);
    judge.finish(name.zip(scopes).map(|(name, scopes)| (name, audience, scopes)))
}

/// Whether a text may name a resource (RFC 8707 §2): an absolute URI (RFC 3986 §4.3) without fragment,
/// as far as it matters here: scheme, colon, and printable ASCII.
pub fn is_resource(raw: &str) -> bool {
    let Some((scheme, rest)) = raw.split_once(':') else { return false };
    let letter = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    let scheme = scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    let rest = !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
    letter && scheme && rest && raw.len() <= AUDIENCE_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audience_is_an_absolute_uri_without_fragment() {
        for good in ["https://api.example.com", "https://api.example.com/v1?x=1", "urn:example:api"]
        {
            assert!(is_resource(good), "{good}");
        }
        for bad in ["", "api", "/v1", "https:", "https://a#b", "1a:b", "https://a b", "é:b"] {
            assert!(!is_resource(bad), "{bad}");
        }
    }
}
