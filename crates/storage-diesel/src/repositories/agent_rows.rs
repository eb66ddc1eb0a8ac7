use diesel::prelude::*;
use portcullis_identity::{
    Agent, AgentMetadata, AgentName, AgentStatus, Description, DisplayName, EmailAddress, Profile,
    ProvenEmail, Tags, Visibility,
};
use portcullis_kernel::{AgentId, UserId};

use super::{super::DbInstant, schema::agents};
use crate::column::{AsText, DigestBytes};

/// A row of `agents`.
#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = agents, treat_none_as_null = true)]
pub(super) struct AgentRow {
    id: AsText<AgentId>,
    name: AsText<AgentName>,
    description: Option<String>,
    owner_text: Option<String>,
    version: Option<String>,
    email: Option<String>,
    email_delivery: Option<String>,
    email_verified_at: Option<DbInstant>,
    pending_email: Option<String>,
    pending_delivery: Option<String>,
    recovery: Option<DigestBytes>,
    status: AsText<AgentStatus>,
    owner_id: Option<AsText<UserId>>,
    display_name: Option<AsText<DisplayName>>,
    profile_description: Option<AsText<Description>>,
    tags: AsText<Tags>,
    visibility: AsText<Visibility>,
    #[diesel(skip_update)]
    created_at: DbInstant,
}

impl From<&Agent> for AgentRow {
    fn from(agent: &Agent) -> Self {
        let Agent { metadata, email, pending_email, profile, .. } = agent.clone();
        let email = email.as_ref();
        let pending = pending_email.as_ref();
        Self {
            id: AsText(agent.id),
            name: AsText(agent.name.clone()),
            description: metadata.description,
            owner_text: metadata.owner,
            version: metadata.version,
            email: email.map(|proven| proven.address.as_str().to_owned()),
            email_delivery: email.map(|proven| proven.address.delivery().to_owned()),
            email_verified_at: email.map(|proven| DbInstant(proven.at)),
            pending_email: pending.map(|email| email.as_str().to_owned()),
            pending_delivery: pending.map(|email| email.delivery().to_owned()),
            recovery: agent.recovery.map(DigestBytes),
            status: AsText(agent.status),
            owner_id: agent.owner.map(AsText),
            display_name: profile.display_name.map(AsText),
            profile_description: profile.description.map(AsText),
            tags: AsText(profile.tags),
            visibility: AsText(profile.visibility),
            created_at: DbInstant(agent.created_at),
        }
    }
}

impl From<AgentRow> for Agent {
    fn from(row: AgentRow) -> Self {
        // Without one of these there is none.
        let proven = row.email.zip(row.email_delivery).zip(row.email_verified_at);
        let pending = row.pending_email.zip(row.pending_delivery);
        Self {
            id: row.id.0,
            name: row.name.0,
            metadata: AgentMetadata {
                description: row.description,
                owner: row.owner_text,
                version: row.version,
            },
            email: proven.map(|((email, delivery), at)| ProvenEmail {
                address: EmailAddress::from_stored(email, delivery),
                at: at.0,
            }),
            pending_email: pending
                .map(|(email, delivery)| EmailAddress::from_stored(email, delivery)),
            recovery: row.recovery.map(|digest| digest.0),
            status: row.status.0,
            owner: row.owner_id.map(|owner| owner.0),
            profile: Profile {
                display_name: row.display_name.map(|name| name.0),
                description: row.profile_description.map(|text| text.0),
                tags: row.tags.0,
                visibility: row.visibility.0,
            },
            created_at: row.created_at.0,
        }
    }
}
