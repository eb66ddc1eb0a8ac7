use portcullis_identity::{DisplayName, Role, User, UserFilter, UserStatus};
use portcullis_kernel::{Page, PageRequest, StoreResult, UniqueKey, UserId};

use super::{
    Unit,
    tables::{Tables, check_free},
};
use crate::UserRepository;

impl UserRepository for Unit<'_> {
    fn insert(&mut self, user: &User) -> StoreResult<()> {
        self.change(|tables| {
            let email = user.email.as_str().to_owned();
            check_free(tables.emails.contains(&email), UniqueKey::UserEmail)?;
            check_free(tables.users.contains(&user.id), UniqueKey::Other)?;
            tables.emails.put(email, user.id);
            tables.users.put(user.id, user.clone());
            Ok(())
        })
    }

    fn find(&mut self, id: UserId) -> StoreResult<Option<User>> {
        self.read(|tables| tables.users.get(&id).cloned())
    }

    fn hold_active(&mut self, id: UserId) -> StoreResult<bool> {
        Ok(self.find(id)?.is_some_and(|user| user.is_active()))
    }

    fn lock(&mut self, id: UserId) -> StoreResult<Option<User>> {
        self.change(|tables| Ok(tables.users.get(&id).cloned()))
    }

    fn update(&mut self, user: &User) -> StoreResult<bool> {
        self.change(|tables| {
            let Some(old) = tables.users.get(&user.id).cloned() else { return Ok(false) };
            let email = user.email.as_str().to_owned();
            let owner = tables.emails.get(&email);
            check_free(owner.is_some_and(|owner| *owner != user.id), UniqueKey::UserEmail)?;
            tables.emails.remove(&old.email.as_str().to_owned());
            tables.emails.put(email, user.id);
            tables.users.put(user.id, user.clone());
            Ok(true)
        })
    }

    fn find_by_email(&mut self, canonical: &str) -> StoreResult<Option<User>> {
        self.read(|tables| {
            let id = tables.emails.get(&canonical.to_owned())?;
            tables.users.get(id).cloned()
        })
    }

    fn list(&mut self, filter: &UserFilter, page: &PageRequest) -> StoreResult<Page<User>> {
        self.read(|tables| list(tables, filter, page))
    }

    fn set_display_name(&mut self, id: UserId, name: Option<&DisplayName>) -> StoreResult<bool> {
        self.change(|tables| Ok(tables.users.update(&id, |user| user.display_name = name.cloned())))
    }

    fn set_role(&mut self, id: UserId, role: Role) -> StoreResult<bool> {
        self.change(|tables| Ok(tables.users.update(&id, |user| user.role = role)))
    }

    fn set_status(&mut self, id: UserId, status: UserStatus) -> StoreResult<bool> {
        self.change(|tables| Ok(tables.users.update(&id, |user| user.status = status)))
    }

    fn delete(&mut self, id: UserId) -> StoreResult<bool> {
        self.change(|tables| Ok(tables.remove_user(id)))
    }
}

fn list(tables: &Tables, filter: &UserFilter, page: &PageRequest) -> Page<User> {
    tables.users.page(page, |user| matches(filter, user))
}

fn matches(filter: &UserFilter, user: &User) -> bool {
    filter.email_contains.as_ref().is_none_or(|text| user.email.as_str().contains(text))
        && filter.role.is_none_or(|role| user.role == role)
        && filter.status.is_none_or(|status| user.status == status)
}
