//! Cases of the calls that remove what is old of agents, a bounded number of rows at a time.

use portcullis_credentials::{AgentToken, ApiKey, RecoveryRequest};
use portcullis_email::OutboxEntry;
use portcullis_tokens::SpentToken;

use super::{
    case_list,
    lab::{Lab, TICK, at, long_ago},
    sweeps::{Sweep, clear, sweeps_what_expired},
};
use crate::Storage;

case_list! {
    expired_tokens_of_agents_are_removed_with_their_mails,
    expired_requests_are_removed_with_their_codes_and_mails,
    keys_that_died_long_ago_are_removed,
    networks_not_seen_for_long_are_removed,
    spent_tokens_are_remembered_until_told,
}

/// `AgentTokenRepository::delete_expired`; at its end a token is dead.
pub fn expired_tokens_of_agents_are_removed_with_their_mails(storage: &dyn Storage) {
    let sweep: Sweep = |uow, now, limit| uow.agent_tokens().delete_expired(now, limit);
    sweeps_what_expired(storage, sweep, |lab, expires_at| {
        let token = AgentToken { expires_at, ..lab.new_agent_token(lab.agent().id) };
        lab.write(|uow| uow.agent_tokens().put(&token));
        OutboxEntry { agent_token: Some(token.digest), ..lab.new_mail() }
    });
    let lab = Lab::alone(storage);
    let ends = [long_ago(0), long_ago(0) + TICK];
    let tokens = ends.map(|expires_at| {
        let token = AgentToken { expires_at, ..lab.new_agent_token(lab.agent().id) };
        lab.write(|uow| uow.agent_tokens().put(&token));
        assert!(lab.statement(|uow| uow.agent_tokens().spend(&token.digest, long_ago(-1))));
        token.digest
    });
    clear_but(&lab, sweep, 1);
    let found = tokens
        .map(|digest| lab.read(|uow| uow.agent_tokens().find(&digest, long_ago(-1))).is_some());
    assert_eq!(found, [false, true], "used ones too");
}

/// `RecoveryRepository::delete_expired`; closed or not.
pub fn expired_requests_are_removed_with_their_codes_and_mails(storage: &dyn Storage) {
    let sweep: Sweep = |uow, now, limit| uow.recoveries().delete_expired(now, limit);
    sweeps_what_expired(storage, sweep, |lab, expires_at| {
        let request = RecoveryRequest { expires_at, ..lab.new_recovery(&lab.address()) };
        let request = lab.open_recovery(request);
        OutboxEntry { recovery: Some(request.id), ..lab.new_mail() }
    });
    let lab = Lab::alone(storage);
    let (address, agent) = (lab.address(), lab.agent().id);
    let expires_at = long_ago(0);
    let requests = [(); 2].map(|()| {
        let request = RecoveryRequest { expires_at, ..lab.new_recovery(&address) };
        let id = lab.open_recovery(request).id;
        lab.code(id, agent);
        id
    });
    clear_but(&lab, sweep, 2);
    assert_eq!(lab.codes(&requests), []);
    assert_eq!(lab.write(|uow| uow.recoveries().lock_all(&address, long_ago(-1))), []);
    assert!(lab.find_agent(agent).is_some());
}

/// `ApiKeyRepository::delete_dead`; revoked or expired, whichever was first.
pub fn keys_that_died_long_ago_are_removed(storage: &dyn Storage) {
    let lab = Lab::alone(storage);
    let sweep: Sweep = |uow, before, limit| uow.api_keys().delete_dead(before, limit);
    clear(&lab, sweep);
    let agent = lab.agent().id;
    let key = |revoked_at, expires_at| {
        lab.add_api_key(ApiKey { revoked_at, expires_at, ..lab.new_api_key(agent) }).id
    };
    let (old, edge) = (Some(long_ago(0) - TICK), Some(long_ago(0)));
    let dead = [key(old, None), key(None, old), key(old, old), key(old, edge), key(edge, old)];
    let kept = [key(None, None), key(edge, None), key(None, edge), key(edge, Some(at(0)))];
    let sweep = |limit| lab.statement(|uow| sweep(uow, long_ago(0), limit));
    let removed = [sweep(2), sweep(2), sweep(2), sweep(2)];
    assert_eq!(removed, [2, 2, 1, 0]);
    assert_eq!(dead.map(|id| lab.find_api_key(id)), [const { None }; 5]);
    assert!(kept.iter().all(|id| lab.find_api_key(*id).is_some()));
}

/// `AgentNetworkRepository::delete_before`.
pub fn networks_not_seen_for_long_are_removed(storage: &dyn Storage) {
    let lab = Lab::alone(storage);
    let sweep: Sweep = |uow, before, limit| uow.agent_networks().delete_before(before, limit);
    clear(&lab, sweep);
    let address = lab.address();
    let agent = lab.agent_at(&address).id;
    let touch = |network: &str, second| {
        let now = long_ago(second);
        lab.statement(|uow| uow.agent_networks().touch(agent, network, now, now))
    };
    for (network, second) in [("a", -9), ("b", -9), ("c", -9), ("kept", -9), ("edge", 0)] {
        assert!(touch(network, second));
    }
    assert!(touch("kept", 0));
    let sweep = |limit| lab.statement(|uow| sweep(uow, long_ago(0), limit));
    assert_eq!([sweep(2), sweep(2), sweep(2)], [2, 1, 0]);
    for (network, known) in
        [("a", false), ("b", false), ("c", false), ("kept", true), ("edge", true)]
    {
        let since = long_ago(-9);
        let is_known = lab.read(|uow| uow.agent_networks().is_known(&address, network, since));
        assert_eq!(is_known, known, "{network}");
    }
}

/// `SpentTokenRepository::delete_expired`.
pub fn spent_tokens_are_remembered_until_told(storage: &dyn Storage) {
    let lab = Lab::alone(storage);
    let sweep: Sweep = |uow, now, limit| uow.spent_tokens().delete_expired(now, limit);
    clear(&lab, sweep);
    let ends = [long_ago(-9), long_ago(-5), long_ago(0), long_ago(0) + TICK];
    let tokens = ends.map(|forget_at| {
        let token = SpentToken { forget_at, ..lab.new_spent() };
        assert!(lab.statement(|uow| uow.spent_tokens().spend(&token)));
        token.id
    });
    let sweep = |limit| lab.statement(|uow| sweep(uow, long_ago(0), limit));
    assert_eq!([sweep(2), sweep(2), sweep(2)], [2, 1, 0]);
    let spent = tokens.map(|id| lab.read(|uow| uow.spent_tokens().is_spent(id)));
    assert_eq!(spent, [false, false, false, true]);
}

/// Removes everything that is old at `long_ago(0)`, and says that it was so many at least.
fn clear_but(lab: &Lab<'_>, sweep: Sweep, least: u64) {
    let mut removed = 0;
    loop {
        match lab.write(|uow| sweep(uow, long_ago(0), 1000)) {
            0 => break,
            more => removed += more,
        }
    }
    assert!(removed >= least, "{removed}");
}
