use actix_web::HttpResponse;
use portcullis_flows::{Engine, admin::FindUserError, agents::RegisteredAgent};
use portcullis_kernel::{ExposeSecret as _, Field, FieldErrors, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{body::AgentAccountBody, invalid};
use crate::{
    admin::as_admin,
    agents::register::{MetadataBody, registration_in},
    kit::{Answer, Call, JsonBody, Refusal, Routes},
    people::body::PeopleError,
};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_create_agent_account, create_agent_account);
}

/// A new agent.
#[derive(Deserialize, ToSchema)]
#[allow(dead_code)] // the description of what the handler reads member by member
struct CreateAgentBody {
    /// Need not be unique: the id is the identity.
    #[schema(example = "weather-bot", pattern = "^[a-zA-Z0-9-]{3,50}$")]
    agent_name: String,
    /// Where the agent can be recovered, once the address is confirmed by the message sent to it.
    #[schema(example = "bot@example.com")]
    email: Option<String>,
    metadata: Option<MetadataBody>,
    /// The id of the user it belongs to.
    #[schema(example = "01JN2X4K8M3F7QPZRVWT6YBHCE")]
    owner: Option<String>,
}

/// An agent that was just made.
#[derive(Serialize, ToSchema)]
struct CreatedAgentBody {
    #[serde(flatten)]
    account: AgentAccountBody,
    /// `rk_…`: what manages the account. Shown once.
    recovery_key: String,
}

impl From<RegisteredAgent> for CreatedAgentBody {
    fn from(created: RegisteredAgent) -> Self {
        Self {
            account: AgentAccountBody::from(created.agent),
            recovery_key: created.recovery_key.into_secret().expose_secret().to_owned(),
        }
    }
}

/// Makes an account for an agent, whether or not agents may register themselves.
#[utoipa::path(post, path = "/v1/admin/agents", tag = "admin", request_body = CreateAgentBody,
    security(("access_token" = [])),
    responses(
        (status = 201, description = "The agent.", body = CreatedAgentBody),
        (status = 400, description = "`validation_error`", body = PeopleError),
        (status = 401, description = "`unauthorized`", body = PeopleError),
        (status = 403, description = "`forbidden`: not an administrator.", body = PeopleError),
        (status = 413, description = "`payload_too_large`", body = PeopleError),
        (status = 415, description = "`unsupported_media_type`", body = PeopleError),
        (status = 429, description = "`rate_limited`", body = PeopleError),
        (status = 503, description = "`service_unavailable`", body = PeopleError),
    ))]
async fn create_agent_account(mut call: Call) -> Answer {
    let bytes = call.bytes_before_bearer().await?;
    let created = as_admin(&call, move |engine, actor, origin| {
        let mut body = JsonBody::parse(&bytes, &["agent_name", "email", "metadata", "owner"])?;
        let mut errors = FieldErrors::default();
        let owner = owner_in(body.string("owner"), engine, &mut errors)?;
        let registration = engine.check_register_agent(registration_in(&mut body));
        let registration = registration.map_err(|error| invalid(&error, errors.clone()))?;
        if !errors.is_empty() {
            return Err(Refusal::of(portcullis_flows::Invalid(errors)));
        }
        engine.create_agent(registration, owner, actor, origin).map_err(Refusal::of)
    })
    .await?;
    Ok(HttpResponse::Created().json(CreatedAgentBody::from(created)))
}

/// The user that the agent is to belong to, if there is such a one.
fn owner_in(
    field: Field<String>,
    engine: &Engine,
    errors: &mut FieldErrors,
) -> Result<Option<UserId>, Refusal> {
    let unknown = "must be the id of a user";
    let id = errors.optional("owner", field, |raw| raw.parse::<UserId>().map_err(|_| unknown));
    let Some(id) = id else { return Ok(None) };
    match engine.find_user(&id.to_string()) {
        Ok(user) => Ok(Some(user.id)),
        Err(FindUserError::NotFound) => {
            errors.add("owner", unknown);
            Ok(None)
        }
        Err(error) => Err(Refusal::of(error)),
    }
}
