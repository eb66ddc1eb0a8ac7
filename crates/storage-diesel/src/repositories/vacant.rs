use diesel::{
    QueryResult, RunQueryDsl,
    query_builder::{AstPass, QueryFragment, QueryId},
};

use super::super::{Backend, Conn};

/// An insertion that adds nothing where a partial unique index has the row already. diesel knows such
/// indexes of PostgreSQL only.
#[derive(QueryId)]
pub(super) struct IfVacant<Q> {
    pub(super) insert: Q,
    /// The columns of the index and its condition; one for each kind of insertion.
    pub(super) index: &'static str,
}

impl<Q> RunQueryDsl<Conn> for IfVacant<Q> {}

impl<Q: QueryFragment<Backend>> QueryFragment<Backend> for IfVacant<Q> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Backend>) -> QueryResult<()> {
        self.insert.walk_ast(out.reborrow())?;
        out.push_sql(" ON CONFLICT ");
        out.push_sql(self.index);
        out.push_sql(" DO NOTHING");
        Ok(())
    }
}
