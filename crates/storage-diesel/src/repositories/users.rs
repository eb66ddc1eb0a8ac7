use diesel::{prelude::*, sql_query, sql_types::Text};
use portcullis_identity::{DisplayName, EmailAddress, Role, User, UserFilter, UserStatus};
use portcullis_kernel::{Page, PageRequest, StoreResult, UserId};
use portcullis_storage::UserRepository;

use super::{
    super::{Backend, DbInstant, HOLD_ACTIVE_USER, position},
    Unit, found,
    held::Held,
    page_of,
    schema::users,
};
use crate::column::AsText;

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = users, treat_none_as_null = true)]
struct Row {
    id: AsText<UserId>,
    email: String,
    email_delivery: String,
    email_verified_at: Option<DbInstant>,
    display_name: Option<AsText<DisplayName>>,
    role: AsText<Role>,
    status: AsText<UserStatus>,
    created_at: DbInstant,
    opened_from: Option<String>,
}

impl From<&User> for Row {
    fn from(user: &User) -> Self {
        Self {
            id: AsText(user.id),
            email: user.email.as_str().to_owned(),
            email_delivery: user.email.delivery().to_owned(),
            email_verified_at: user.email_verified_at.map(DbInstant),
            display_name: user.display_name.clone().map(AsText),
            role: AsText(user.role),
            status: AsText(user.status),
            created_at: DbInstant(user.created_at),
            opened_from: user.opened_from.clone(),
        }
    }
}

impl From<Row> for User {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.0,
            email: EmailAddress::from_stored(row.email, row.email_delivery),
            email_verified_at: row.email_verified_at.map(|at| at.0),
            display_name: row.display_name.map(|name| name.0),
            role: row.role.0,
            status: row.status.0,
            created_at: row.created_at.0,
            opened_from: row.opened_from,
        }
    }
}

#[derive(QueryableByName)]
struct Active {
    #[diesel(sql_type = Text)]
    id: AsText<UserId>,
}

impl UserRepository for Unit {
    fn insert(&mut self, user: &User) -> StoreResult<()> {
        let row = Row::from(user);
        self.change(|conn| diesel::insert_into(users::table).values(row).execute(conn)).map(drop)
    }

    fn find(&mut self, id: UserId) -> StoreResult<Option<User>> {
        let query = users::table.find(AsText(id)).select(Row::as_select());
        self.read(|conn| query.first(conn).optional()).map(|row| row.map(User::from))
    }

    fn hold_active(&mut self, id: UserId) -> StoreResult<bool> {
        let query = sql_query(HOLD_ACTIVE_USER).bind::<Text, _>(AsText(id));
        let held: Vec<Active> = self.change(|conn| query.load(conn))?;
        Ok(held.iter().any(|held| held.id.0 == id))
    }

    fn lock(&mut self, id: UserId) -> StoreResult<Option<User>> {
        let query = Held(users::table.find(AsText(id)).select(Row::as_select()));
        let row = self.change(|conn| query.get_result::<Row>(conn).optional())?;
        Ok(row.map(User::from))
    }

    fn update(&mut self, user: &User) -> StoreResult<bool> {
        let query = diesel::update(users::table.find(AsText(user.id))).set(Row::from(user));
        self.change(|conn| query.execute(conn)).map(found)
    }

    fn find_by_email(&mut self, canonical: &str) -> StoreResult<Option<User>> {
        let query = users::table.filter(users::email.eq(canonical)).select(Row::as_select());
        self.read(|conn| query.first(conn).optional()).map(|row| row.map(User::from))
    }

    fn list(&mut self, filter: &UserFilter, page: &PageRequest) -> StoreResult<Page<User>> {
        // One row more than asked for tells whether there is a next page.
        let mut query = users::table
            .select(Row::as_select())
            .order(users::id)
            .limit(i64::from(page.limit) + 1)
            .into_boxed::<Backend>();
        if let Some(after) = &page.after {
            query = query.filter(users::id.gt(after.key()));
        }
        if let Some(text) = &filter.email_contains {
            query = query.filter(position(users::email, text).gt(0));
        }
        if let Some(role) = filter.role {
            query = query.filter(users::role.eq(AsText(role)));
        }
        if let Some(status) = filter.status {
            query = query.filter(users::status.eq(AsText(status)));
        }
        let rows: Vec<Row> = self.read(|conn| query.load(conn))?;
        Ok(page_of(rows, page, |user: &User| user.id.to_string()))
    }

    fn set_display_name(&mut self, id: UserId, name: Option<&DisplayName>) -> StoreResult<bool> {
        let name = users::display_name.eq(name.cloned().map(AsText));
        let query = diesel::update(users::table.find(AsText(id))).set(name);
        self.change(|conn| query.execute(conn)).map(found)
    }

    fn set_role(&mut self, id: UserId, role: Role) -> StoreResult<bool> {
        let query = diesel::update(users::table.find(AsText(id))).set(users::role.eq(AsText(role)));
        self.change(|conn| query.execute(conn)).map(found)
    }

    fn set_status(&mut self, id: UserId, status: UserStatus) -> StoreResult<bool> {
        let status = users::status.eq(AsText(status));
        let query = diesel::update(users::table.find(AsText(id))).set(status);
        self.change(|conn| query.execute(conn)).map(found)
    }

    fn delete(&mut self, id: UserId) -> StoreResult<bool> {
        let query = diesel::delete(users::table.find(AsText(id)));
        self.change(|conn| query.execute(conn)).map(found)
    }
}
