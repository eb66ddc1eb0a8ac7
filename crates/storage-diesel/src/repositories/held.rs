use diesel::{
    QueryResult, RunQueryDsl,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
};

use super::super::{Backend, Conn, FOR_UPDATE};

/// A query whose rows are held against change by others until the transaction ends.
#[derive(QueryId)]
pub(super) struct Held<Q>(pub(super) Q);

impl<Q: Query> Query for Held<Q> {
    type SqlType = Q::SqlType;
}

impl<Q> RunQueryDsl<Conn> for Held<Q> {}

impl<Q: QueryFragment<Backend>> QueryFragment<Backend> for Held<Q> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Backend>) -> QueryResult<()> {
        self.0.walk_ast(out.reborrow())?;
        out.push_sql(FOR_UPDATE);
        Ok(())
    }
}
