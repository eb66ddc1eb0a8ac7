//! Cases of [`RecoveryRepository`](crate::RecoveryRepository): codes.

use portcullis_credentials::RecoveryCode;
use portcullis_kernel::{RecoveryId, StoreError, UniqueKey};

use super::{
    case_list,
    lab::{Lab, TICK, at, in_parallel},
};
use crate::{Storage, StorageExt, UnitOfWork};

case_list! {
    codes_come_back_by_request_and_agent,
    a_code_of_no_request_or_no_agent_is_refused,
    a_second_code_of_a_request_for_an_agent_is_a_conflict,
    of_many_callers_one_spends_a_code,
    a_code_is_spent_for_its_request_and_agent_only,
    open_codes_of_an_agent_are_removed,
}

/// Every field, used or not; those of other requests do not.
pub fn codes_come_back_by_request_and_agent(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let requests = [lab.recovery().id, lab.recovery().id, lab.recovery().id];
    let agents = [lab.agent().id, lab.agent().id];
    let mut codes = Vec::new();
    for request in requests {
        for agent in agents {
            let used_at = (agent == agents[1]).then_some(at(1) + TICK);
            let code = RecoveryCode { used_at, ..lab.new_code(request, agent) };
            lab.write(|uow| uow.recoveries().add_code(&code));
            codes.push(code);
        }
    }
    codes.sort_by_key(|code| (code.request, code.agent));
    let of = |requests: &[RecoveryId]| {
        let of = |code: &&RecoveryCode| requests.contains(&code.request);
        codes.iter().filter(of).cloned().collect::<Vec<_>>()
    };
    for wanted in [&requests[..], &requests[1..], &[requests[2]], &[requests[1], requests[0]], &[]]
    {
        assert_eq!(lab.codes(wanted), of(wanted));
    }
    let unknown = RecoveryId::generate(&lab.entropy).unwrap();
    assert_eq!(lab.codes(&[unknown]), []);
}

/// Nothing is left of what another transaction has deleted.
pub fn a_code_of_no_request_or_no_agent_is_refused(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (request, agent) = (lab.recovery().id, lab.agent().id);
    let unknown = RecoveryId::generate(&lab.entropy).unwrap();
    for code in [lab.new_code(unknown, agent), lab.new_code(request, lab.agent_id())] {
        assert!(storage.transact(|uow| uow.recoveries().add_code(&code)).is_err());
        assert_eq!(lab.codes(&[code.request]), []);
    }
}

/// `Conflict(Other)`, and the first one stays.
pub fn a_second_code_of_a_request_for_an_agent_is_a_conflict(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let code = lab.code(lab.recovery().id, lab.agent().id);
    let rival = lab.new_code(code.request, code.agent);
    let refused = storage.transact(|uow| uow.recoveries().add_code(&rival));
    assert!(matches!(refused, Err(StoreError::Conflict(UniqueKey::Other))), "{refused:?}");
    assert_eq!(lab.codes(&[code.request]), [code]);
}

/// Each as a statement of its own, and each in a transaction.
pub fn of_many_callers_one_spends_a_code(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    for alone in [true, false] {
        let code = lab.code(lab.recovery().id, lab.agent().id);
        let spent = in_parallel(|index| {
            let now = at(i64::try_from(index).unwrap());
            let spend =
                |uow: &mut dyn UnitOfWork| uow.recoveries().spend(code.request, code.agent, now);
            let first = if alone { lab.statement(spend) } else { lab.write(spend) };
            first.then_some(now)
        });
        let used_at: Vec<_> = spent.into_iter().flatten().collect();
        assert_eq!(used_at.len(), 1);
        let used = RecoveryCode { used_at: Some(used_at[0]), ..code };
        assert_eq!(lab.codes(&[used.request]), [used]);
    }
}

/// Neither another one of the request nor another one of the agent.
pub fn a_code_is_spent_for_its_request_and_agent_only(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (request, other) = (lab.recovery().id, lab.recovery().id);
    let (agent, sibling) = (lab.agent().id, lab.agent().id);
    let code = lab.code(request, agent);
    let (of_sibling, of_other) = (lab.code(request, sibling), lab.code(other, agent));
    let spend =
        |request, agent| lab.statement(|uow| uow.recoveries().spend(request, agent, at(1) + TICK));
    assert!(!spend(other, sibling));
    assert!(!spend(request, lab.agent_id()));
    assert!(spend(request, agent));
    assert!(!spend(request, agent));
    let used = RecoveryCode { used_at: Some(at(1) + TICK), ..code };
    assert_eq!(lab.codes(&[other]), [of_other]);
    let mut expected = [used, of_sibling];
    expected.sort_by_key(|code| code.agent);
    assert_eq!(lab.codes(&[request]), expected);
}

/// Of every request; used ones stay, and so do those of another agent.
pub fn open_codes_of_an_agent_are_removed(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let requests = [lab.recovery().id, lab.recovery().id, lab.recovery().id];
    let (agent, other) = (lab.agent().id, lab.agent().id);
    for request in requests {
        lab.code(request, agent);
    }
    let foreign = lab.code(requests[0], other);
    assert!(lab.statement(|uow| uow.recoveries().spend(requests[1], agent, at(1))));
    let remove = || lab.statement(|uow| uow.recoveries().remove_open_codes(agent));
    assert_eq!([remove(), remove()], [2, 0]);
    assert_eq!(lab.codes(&[requests[0], requests[2]]), [foreign]);
    assert_eq!(lab.codes(&[requests[1]]).len(), 1);
    // A code of the same request can be made anew.
    lab.code(requests[0], agent);
}
