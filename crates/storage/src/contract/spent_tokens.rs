//! Cases of [`SpentTokenRepository`](crate::SpentTokenRepository).

use portcullis_tokens::SpentToken;

use super::{
    case_list,
    lab::{Lab, at, in_parallel},
};
use crate::{Storage, TxMode, UnitOfWork};

case_list! {
    a_token_is_spent_once,
    of_many_callers_one_spends_an_access_token,
    a_token_that_was_rolled_back_is_not_spent,
}

fn spend(lab: &Lab<'_>, token: &SpentToken) -> bool {
    lab.statement(|uow| uow.spent_tokens().spend(token))
}

/// Whatever is said of it the second time; other tokens of the agent are not.
pub fn a_token_is_spent_once(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let token = SpentToken { successor: Some(lab.token_id()), ..lab.new_spent() };
    let is_spent = |id| lab.read(|uow| uow.spent_tokens().is_spent(id));
    assert!(!is_spent(token.id));
    assert!(spend(&lab, &token));
    let again = SpentToken { agent: lab.agent_id(), spent_at: at(1), ..token.clone() };
    assert!(!spend(&lab, &again));
    assert!(is_spent(token.id));
    assert!(!is_spent(token.successor.unwrap()));
    assert!(spend(&lab, &SpentToken { id: lab.token_id(), ..token }));
}

/// Each as a statement of its own, and each in a transaction.
pub fn of_many_callers_one_spends_an_access_token(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    for alone in [true, false] {
        let token = lab.new_spent();
        let done = in_parallel(|_| {
            let token = SpentToken { successor: Some(lab.token_id()), ..token.clone() };
            let spend = |uow: &mut dyn UnitOfWork| uow.spent_tokens().spend(&token);
            if alone { lab.statement(spend) } else { lab.write(spend) }
        });
        assert_eq!(done.into_iter().filter(|done| *done).count(), 1);
        assert!(!spend(&lab, &token));
    }
}

/// Who is told that it was not the first can still read.
pub fn a_token_that_was_rolled_back_is_not_spent(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let token = lab.new_spent();
    let mut unit = storage.begin(TxMode::Write).unwrap();
    assert!(unit.spent_tokens().spend(&token).unwrap());
    assert!(!unit.spent_tokens().spend(&token).unwrap());
    assert!(unit.spent_tokens().is_spent(token.id).unwrap());
    drop(unit);
    assert!(!lab.read(|uow| uow.spent_tokens().is_spent(token.id)));
    assert!(spend(&lab, &token));
}
