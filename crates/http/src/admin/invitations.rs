use actix_web::HttpResponse;
use portcullis_flows::admin::{Invite, InviteError, Invited};
use portcullis_identity::{EmailAddress, Invitation};
use portcullis_kernel::{Cursor, ExposeSecret as _, InvitationId, Page};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{as_admin, page_in_query};
use crate::{
    kit::{Answer, Call, JsonBody, Refusal, Routes, seconds},
    people::body::PeopleError,
};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_invite, invite);
    routes.add(__path_list_invitations, list_invitations);
    routes.add(__path_withdraw_invitation, withdraw_invitation);
}

/// Who is invited.
#[derive(Deserialize, ToSchema)]
#[allow(dead_code)] // the description of what the handler reads member by member
struct InviteBody {
    /// The only address that may register with the invitation, and to which it is mailed; without one
    /// anybody may who holds it.
    #[schema(example = "jane@example.com")]
    email: Option<String>,
}

/// An invitation that was just made.
#[derive(Serialize, ToSchema)]
struct InvitedBody {
    /// Its id.
    #[schema(example = "ivt_0123456789abcdef0123456789abcdef")]
    id: String,
    /// `inv_…`; shown once.
    invite_token: String,
    /// The only address that it is good for; `null` for any.
    email: Option<String>,
    /// RFC 3339.
    expires_at: String,
}

impl From<Invited> for InvitedBody {
    fn from(invited: Invited) -> Self {
        Self {
            id: invited.invitation.id.to_string(),
            invite_token: invited.secret.expose_secret().to_owned(),
            email: address(&invited.invitation),
            expires_at: seconds(invited.invitation.expires_at),
        }
    }
}

/// An invitation that can still be used.
#[derive(Serialize, ToSchema)]
struct InvitationBody {
    /// Its id.
    #[schema(example = "ivt_0123456789abcdef0123456789abcdef")]
    id: String,
    /// The only address that it is good for; `null` for any.
    email: Option<String>,
    /// RFC 3339.
    created_at: String,
    /// RFC 3339.
    expires_at: String,
}

impl From<&Invitation> for InvitationBody {
    fn from(invitation: &Invitation) -> Self {
        Self {
            id: invitation.id.to_string(),
            email: address(invitation),
            created_at: seconds(invitation.created_at),
            expires_at: seconds(invitation.expires_at),
        }
    }
}

/// Some of the invitations, in the order of their ids.
#[derive(Serialize, ToSchema)]
struct InvitationsBody {
    invitations: Vec<InvitationBody>,
    /// What asks for the next ones, as `cursor`; `null` at the end.
    next_cursor: Option<String>,
}

impl From<Page<Invitation>> for InvitationsBody {
    fn from(page: Page<Invitation>) -> Self {
        Self {
            invitations: page.items.iter().map(InvitationBody::from).collect(),
            next_cursor: page.next.as_ref().map(Cursor::encode),
        }
    }
}

fn address(invitation: &Invitation) -> Option<String> {
    invitation.email.as_ref().map(EmailAddress::as_str).map(str::to_owned)
}

/// Invites somebody to register, once, within 7 days. An invitation for one address is mailed to it.
#[utoipa::path(post, path = "/v1/admin/users/invite", tag = "admin",
    request_body = Option<InviteBody>,
    security(("access_token" = [])),
    responses(
        (status = 201, description = "The invitation.", body = InvitedBody),
        (status = 400, description = "`validation_error`", body = PeopleError),
        (status = 401, description = "`unauthorized`", body = PeopleError),
        (status = 403, description = "`forbidden`: not an administrator.", body = PeopleError),
        (status = 409, description = "`conflict`: the address has an account.", body = PeopleError),
        (status = 413, description = "`payload_too_large`", body = PeopleError),
        (status = 415, description = "`unsupported_media_type`", body = PeopleError),
        (status = 429, description = "`rate_limited`", body = PeopleError),
        (status = 503, description = "`service_unavailable`", body = PeopleError),
    ))]
async fn invite(mut call: Call) -> Answer {
    let bytes = call.bytes_before_bearer().await?;
    let invited = as_admin(&call, move |engine, actor, origin| {
        let mut body = JsonBody::parse_optional(&bytes, &["email"])?;
        let input = Invite { email: body.string("email") };
        engine.invite(input, actor, origin).map_err(Refusal::of)
    })
    .await?;
    Ok(HttpResponse::Created().json(InvitedBody::from(invited)))
}

/// Lists the invitations that can still be used.
#[utoipa::path(get, path = "/v1/admin/invitations", tag = "admin",
    params(
        ("limit" = Option<u32>, Query, description = "1 to 200; 50 when left out."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
    ),
    security(("access_token" = [])),
    responses(
        (status = 200, description = "The invitations.", body = InvitationsBody),
        (status = 400, description = "`validation_error`", body = PeopleError),
        (status = 401, description = "`unauthorized`", body = PeopleError),
        (status = 403, description = "`forbidden`: not an administrator.", body = PeopleError),
        (status = 429, description = "`rate_limited`", body = PeopleError),
        (status = 503, description = "`service_unavailable`", body = PeopleError),
    ))]
async fn list_invitations(call: Call) -> Answer {
    let mut query = call.query();
    let page = as_admin(&call, move |engine, _, _| {
        let page = page_in_query(&mut query).check_invitations().map_err(Refusal::of)?;
        engine.list_invitations(&page).map_err(Refusal::of)
    })
    .await?;
    Ok(HttpResponse::Ok().json(InvitationsBody::from(page)))
}

/// Withdraws an invitation, and its mail if that still waits.
#[utoipa::path(delete, path = "/v1/admin/invitations/{id}", tag = "admin",
    params(("id" = String, Path, description = "The invitation's id.")),
    security(("access_token" = [])),
    responses(
        (status = 204, description = "It can no longer be used."),
        (status = 401, description = "`unauthorized`", body = PeopleError),
        (status = 403, description = "`forbidden`: not an administrator.", body = PeopleError),
        (status = 404, description = "`not_found`: no such invitation.", body = PeopleError),
        (status = 429, description = "`rate_limited`", body = PeopleError),
        (status = 503, description = "`service_unavailable`", body = PeopleError),
    ))]
async fn withdraw_invitation(call: Call) -> Answer {
    let id = call.segment("id");
    as_admin(&call, move |engine, actor, origin| {
        let id = id.parse::<InvitationId>().map_err(|_| Refusal::of(InviteError::NotFound))?;
        engine.withdraw_invitation(id, actor, origin).map_err(Refusal::of)
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}
