use std::{fmt::Display, str::FromStr};

use portcullis_identity::{EmailAddress, Role, UserFilter, UserStatus};
use portcullis_kernel::{
    Cursor, Field, FieldErrors, InvalidCursor, InvitationId, PageRequest, Place, Slice, UserId,
};

use crate::{
    Invalid,
    rows::{ROWS, rows},
};

/// No address is longer.
const MOST_BYTES: usize = 254;

/// Which part of a list is wanted, as it came in.
#[derive(Clone, Debug, Default)]
pub struct ListInput {
    /// Rows of a page; 50 when absent.
    pub limit: Field<String>,
    /// Where the page before ended.
    pub cursor: Field<String>,
}

/// Which accounts are to be listed, as it came in.
#[derive(Clone, Debug, Default)]
pub struct ListUsers {
    /// Which part of them.
    pub page: ListInput,
    /// Part of their address.
    pub email: Field<String>,
    /// Their role.
    pub role: Field<String>,
    /// Their state.
    pub status: Field<String>,
}

/// A role to be given, as it came in.
#[derive(Clone, Debug, Default)]
pub struct SetRole {
    /// Its name.
    pub role: Field<String>,
}

impl ListUsers {
    /// Judges the question.
    ///
    /// # Errors
    /// [`Invalid`] names every broken parameter.
    pub fn check(self) -> Result<(UserFilter, PageRequest), Invalid> {
        let mut errors = FieldErrors::default();
        let page = self.page.judge::<UserId>(&mut errors);
        let filter = UserFilter {
            email_contains: errors.optional("email", self.email, part_of_address),
            role: errors.optional("role", self.role, |raw| raw.parse::<Role>()),
            status: errors.optional("status", self.status, status),
        };
        Invalid::or(errors, Some((filter, page)))
    }
}

impl ListInput {
    /// Judges the question for a list of invitations.
    ///
    /// # Errors
    /// [`Invalid`] names every broken parameter.
    pub fn check_invitations(self) -> Result<PageRequest, Invalid> {
        let mut errors = FieldErrors::default();
        let page = self.judge::<InvitationId>(&mut errors);
        Invalid::or(errors, Some(page))
    }

    /// A cursor is an id of what is listed: one of another list is refused.
    fn judge<Id: FromStr>(self, errors: &mut FieldErrors) -> PageRequest {
        let limit = errors.optional("limit", self.limit, rows).unwrap_or(ROWS);
        let after = errors.optional("cursor", self.cursor, |raw| {
            let cursor = Cursor::decode(&raw)?;
            cursor.key().parse::<Id>().map(|_| cursor).map_err(|_| InvalidCursor)
        });
        PageRequest { after, limit }
    }

    /// The same for a list in the order of time.
    pub(super) fn judge_slice<Id: FromStr + Display>(self, errors: &mut FieldErrors) -> Slice<Id> {
        let limit = errors.optional("limit", self.limit, rows).unwrap_or(ROWS);
        let after = errors.optional("cursor", self.cursor, |raw| {
            Cursor::decode(&raw).and_then(|cursor| Place::of(&cursor))
        });
        Slice { after, limit }
    }
}

impl SetRole {
    /// Judges the role.
    ///
    /// # Errors
    /// [`Invalid`].
    pub fn check(self) -> Result<Role, Invalid> {
        let mut errors = FieldErrors::default();
        let role = errors.required("role", self.role, |raw| raw.parse::<Role>());
        Invalid::or(errors, role)
    }
}

pub(super) fn part_of_address(raw: String) -> Result<String, &'static str> {
    let text = raw.trim();
    // PostgreSQL takes no NUL.
    if text.is_empty() || text.len() > MOST_BYTES || text.chars().any(char::is_control) {
        return Err("must be a part of an address, 1 to 254 bytes");
    }
    Ok(EmailAddress::fold(text))
}

fn status(raw: String) -> Result<UserStatus, &'static str> {
    UserStatus::from_name(&raw).ok_or("must be one of active, suspended")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(limit: &str) -> Result<PageRequest, Invalid> {
        ListInput { limit: limit.into(), cursor: Field::Absent }.check_invitations()
    }

    fn part(email: &str) -> Result<Option<String>, Invalid> {
        let input = ListUsers { email: email.into(), ..ListUsers::default() };
        input.check().map(|(filter, _)| filter.email_contains)
    }

    #[test]
    fn i17_a_page_has_one_to_two_hundred_rows() {
        assert_eq!(ListInput::default().check_invitations(), Ok(PageRequest::first(50)));
        for (raw, limit) in [("1", 1), ("200", 200), ("007", 7)] {
            assert_eq!(page(raw), Ok(PageRequest::first(limit)));
        }
        for raw in ["", "0", "201", "-1", "+5", " 5", "5.0", "1e2", "4294967297", "٣", "x"] {
            assert!(page(raw).is_err(), "{raw}");
        }
    }

    #[test]
    fn every_broken_parameter_is_named_at_once() {
        let input = ListUsers {
            page: ListInput { limit: "0".into(), cursor: "%".into() },
            email: "".into(),
            role: "guest".into(),
            status: "Active".into(),
        };
        let Err(Invalid(errors)) = input.check() else { panic!("accepted") };
        let named: Vec<_> = errors.iter().map(|(name, _)| name).collect();
        assert_eq!(named, ["cursor", "email", "limit", "role", "status"]);
    }

    #[test]
    fn a_cursor_of_another_list_is_refused() {
        let users = Cursor::after("01JN2X4K8M3F7QPZRVWT6YBHCE").encode();
        let invitations = Cursor::after(format!("ivt_{}", "0".repeat(32))).encode();
        let of_users = |cursor: &str| {
            let page = ListInput { cursor: cursor.into(), ..ListInput::default() };
            ListUsers { page, ..ListUsers::default() }.check().is_ok()
        };
        let of_invitations = |cursor: &str| {
            let input = ListInput { cursor: cursor.into(), ..ListInput::default() };
            input.check_invitations().is_ok()
        };
        assert!(of_users(&users) && of_invitations(&invitations));
        assert!(!of_users(&invitations) && !of_invitations(&users));
    }

    #[test]
    fn part_of_an_address_is_looked_for_in_lower_case() {
        assert_eq!(part(" Jane@Example "), Ok(Some("jane@example".to_owned())));
        assert_eq!(part("Ünï"), Ok(Some("Ünï".to_owned())), "as the canonical form has it");
        for raw in ["", " ", "a\0b", "a\nb", &"x".repeat(255)] {
            assert!(part(raw).is_err(), "{raw:?}");
        }
    }
}
