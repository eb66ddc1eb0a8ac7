//! Domain types that are lists of words, or words of their own kind, as column values.

use std::{borrow::Cow, error::Error};

use portcullis_credentials::AllowedNetworks;
use portcullis_identity::{Tags, Visibility};
use portcullis_kernel::{ResourceServerId, Scopes};

use super::{TextForm, Unreadable};

type Fault = Box<dyn Error + Send + Sync>;

impl TextForm for Scopes {
    fn encode(&self) -> Result<Cow<'_, str>, Fault> {
        Ok(self.to_string().into())
    }

    /// The empty text is the empty set, which no request can name.
    fn decode(text: String) -> Result<Self, Fault> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        text.parse().map_err(|_| Unreadable { kind: "set of scopes", text }.into())
    }
}

impl TextForm for Option<ResourceServerId> {
    fn encode(&self) -> Result<Cow<'_, str>, Fault> {
        Ok(self.map(|id| id.to_string()).unwrap_or_default().into())
    }

    /// The empty text is none.
    fn decode(text: String) -> Result<Self, Fault> {
        if text.is_empty() {
            return Ok(None);
        }
        let id = text.parse().map_err(|_| Unreadable { kind: "resource server id", text })?;
        Ok(Some(id))
    }
}

impl TextForm for AllowedNetworks {
    fn encode(&self) -> Result<Cow<'_, str>, Fault> {
        let networks: Vec<String> = self.as_slice().iter().map(ToString::to_string).collect();
        Ok(networks.join(" ").into())
    }

    fn decode(text: String) -> Result<Self, Fault> {
        let networks = text.split(' ').map(|network| network.parse().ok()).collect();
        let networks: Option<Vec<_>> = networks;
        let networks = networks.map(Self::from_stored);
        networks.ok_or_else(|| Unreadable { kind: "list of networks", text }.into())
    }
}

impl TextForm for Tags {
    /// No tag holds a line break.
    fn encode(&self) -> Result<Cow<'_, str>, Fault> {
        Ok(self.as_slice().join("\n").into())
    }

    fn decode(text: String) -> Result<Self, Fault> {
        let tags = text.split('\n').filter(|tag| !tag.is_empty());
        Ok(Self::from_stored(tags.map(str::to_owned).collect()))
    }
}

impl TextForm for Visibility {
    fn encode(&self) -> Result<Cow<'_, str>, Fault> {
        Ok(self.as_str().into())
    }

    fn decode(text: String) -> Result<Self, Fault> {
        Self::from_name(&text).map_err(|_| Unreadable { kind: "visibility", text }.into())
    }
}
