//! Cases of [`AgentAccess`](crate::AgentAccess).

use portcullis_credentials::ApiKey;
use portcullis_identity::{Agent, AgentStatus, UserStatus};
use portcullis_kernel::{ApiKeyId, TokenDigest, TokenId};
use portcullis_tokens::SpentToken;

use super::{
    case_list,
    lab::{Lab, at},
};
use crate::{KeyHolder, Storage};

case_list! {
    a_key_is_found_with_its_agent_by_its_digest,
    a_token_is_found_by_its_key_and_is_spent_or_not,
    a_key_that_changed_or_is_gone_is_seen_so,
    that_the_owner_is_suspended_is_seen_with_the_key,
}

fn by_token(lab: &Lab<'_>, key: ApiKeyId, token: TokenId) -> Option<(KeyHolder, bool)> {
    lab.read(|uow| uow.agent_access().find_token(key, token))
}

/// Whether or not either may be used.
pub fn a_key_is_found_with_its_agent_by_its_digest(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let owner = Some(lab.user().id);
    let suspended = Agent { status: AgentStatus::Suspended, owner, ..lab.new_agent() };
    let agents = [lab.agent_at(&lab.address()), lab.add_agent(suspended)];
    for agent in agents {
        let revoked_at = Some(at(0));
        let dead = ApiKey { revoked_at, expires_at: revoked_at, ..lab.new_api_key(agent.id) };
        for key in [lab.new_api_key(agent.id), dead] {
            let key = lab.add_api_key(key);
            let found = lab.read(|uow| uow.agent_access().find_key(&key.digest));
            assert_eq!(
                found,
                Some(KeyHolder { key, agent: agent.clone(), owner_suspended: false })
            );
        }
    }
    let unknown = TokenDigest::of(&lab.tag());
    assert_eq!(lab.read(|uow| uow.agent_access().find_key(&unknown)), None);
}

/// Of its key and agent whatever their state; other tokens of the key are not spent with it.
pub fn a_token_is_found_by_its_key_and_is_spent_or_not(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let agent = lab.agent();
    let revoked = ApiKey { revoked_at: Some(at(0)), ..lab.new_api_key(agent.id) };
    for key in [lab.new_api_key(agent.id), revoked] {
        let key = lab.add_api_key(key);
        let (token, other) = (lab.token_id(), lab.token_id());
        let holder = KeyHolder { key, agent: agent.clone(), owner_suspended: false };
        let found = |token, spent| {
            assert_eq!(by_token(&lab, holder.key.id, token), Some((holder.clone(), spent)));
        };
        found(token, false);
        let spent = SpentToken { id: token, agent: agent.id, ..lab.new_spent() };
        assert!(lab.statement(|uow| uow.spent_tokens().spend(&spent)));
        found(token, true);
        found(other, false);
        assert_eq!(by_token(&lab, lab.key_id(), token), None);
    }
}

/// At once.
pub fn a_key_that_changed_or_is_gone_is_seen_so(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let agent = lab.agent();
    let (key, token) = (lab.api_key(agent.id), lab.token_id());
    assert!(lab.statement(|uow| uow.api_keys().revoke(key.id, agent.id, at(1))));
    let suspended = Agent { status: AgentStatus::Suspended, ..agent.clone() };
    assert!(lab.statement(|uow| uow.agents().update(&suspended)));
    let (holder, spent) = by_token(&lab, key.id, token).unwrap();
    assert_eq!((holder.key.revoked_at, spent), (Some(at(1)), false));
    assert_eq!(holder.agent, suspended);
    assert!(lab.statement(|uow| uow.agents().delete(agent.id)));
    assert_eq!(by_token(&lab, key.id, token), None);
    assert_eq!(lab.read(|uow| uow.agent_access().find_key(&key.digest)), None);
}

/// Of its own owner, and no longer than they are.
pub fn that_the_owner_is_suspended_is_seen_with_the_key(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (owner, other) = (lab.user(), lab.user());
    let agent = lab.add_agent(Agent { owner: Some(owner.id), ..lab.new_agent() });
    let key = lab.add_api_key(lab.new_api_key(agent.id));
    for (user, status, seen) in [
        (other.id, UserStatus::Suspended, false),
        (owner.id, UserStatus::Suspended, true),
        (owner.id, UserStatus::Active, false),
    ] {
        assert!(lab.statement(|uow| uow.users().set_status(user, status)));
        let found = lab.read(|uow| uow.agent_access().find_key(&key.digest)).unwrap();
        assert_eq!((found.owner_suspended, found.may_act()), (seen, !seen));
        let (found, _) = by_token(&lab, key.id, lab.token_id()).unwrap();
        assert_eq!((found.owner_suspended, found.may_act()), (seen, !seen));
    }
}
