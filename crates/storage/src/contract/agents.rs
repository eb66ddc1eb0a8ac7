//! Cases of [`AgentRepository`](crate::AgentRepository): one agent.

use portcullis_audit::{Action, Actor, AuditEvent};
use portcullis_email::OutboxEntry;
use portcullis_identity::{
    Agent, AgentMetadata, AgentName, AgentStatus, Description, DisplayName, Profile, ProvenEmail,
    Tags, Visibility,
};
use portcullis_kernel::{Origin, Slice, StoreError, TokenDigest, UniqueKey};
use portcullis_tokens::SpentToken;

use super::{
    case_list,
    lab::{Lab, THREADS, TICK, at, email, in_parallel},
};
use crate::{Storage, StorageExt};

case_list! {
    an_agent_comes_back_as_it_was_stored,
    an_unknown_agent_is_not_found,
    a_taken_id_or_recovery_key_of_an_agent_is_a_conflict,
    agents_without_a_recovery_key_are_in_nobodys_way,
    an_agent_of_an_unknown_user_is_refused,
    an_update_of_an_agent_leaves_its_making_and_others_alone,
    of_parallel_changes_to_a_locked_agent_none_is_lost,
    deletion_takes_along_what_belongs_to_the_agent,
    deletion_leaves_other_agents_and_what_outlives_it_alone,
    agents_of_a_deleted_user_belong_to_nobody,
}

/// Everything that an agent can have.
fn full(lab: &Lab<'_>) -> Agent {
    let text = |raw: &str| Some(raw.to_owned());
    let tags = ["weather", "Wetter ünï", "🦀 % _ ' \\"].map(str::to_owned);
    Agent {
        metadata: AgentMetadata {
            description: text("reads \u{5e9}\u{5dc} ‘mail’"),
            owner: text("Jane 🦀"),
            version: text("1.0"),
        },
        email: Some(ProvenEmail {
            address: email(&format!("Jane.{}@EXAMPLE.com", lab.tag())),
            at: at(1) + TICK * 999_999,
        }),
        pending_email: Some(email(&format!("Ünï.{}@bücher.example", lab.tag()))),
        owner: Some(lab.user().id),
        profile: Profile {
            display_name: Some(DisplayName::parse("Zoë").unwrap()),
            description: Description::parse("é\u{1f980}").unwrap(),
            tags: Tags::parse(&tags).unwrap(),
            visibility: Visibility::Public,
        },
        created_at: at(-1) + TICK,
        ..lab.new_agent()
    }
}

/// Every field, times to the microsecond, addresses in both their forms; by its id and its recovery
/// key.
pub fn an_agent_comes_back_as_it_was_stored(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let suspended = Agent { status: AgentStatus::Suspended, recovery: None, ..full(&lab) };
    let longest = AgentName::parse(&"x".repeat(50)).unwrap();
    for agent in [full(&lab), suspended, Agent { name: longest, ..lab.new_agent() }] {
        let agent = lab.add_agent(agent);
        let found = lab.find_agent(agent.id).unwrap();
        assert_eq!(found, agent);
        let forms = |agent: &Agent| {
            let proven = agent.email.as_ref().map(|proven| proven.address.delivery().to_owned());
            (proven, agent.pending_email.as_ref().map(|email| email.delivery().to_owned()))
        };
        assert_eq!(forms(&found), forms(&agent));
        assert_eq!(lab.write(|uow| uow.agents().lock(agent.id)).as_ref(), Some(&agent));
        if let Some(recovery) = &agent.recovery {
            assert_eq!(lab.read(|uow| uow.agents().find_by_recovery(recovery)), Some(agent));
        }
    }
}

/// By neither id nor recovery key; nor is it changed or deleted.
pub fn an_unknown_agent_is_not_found(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let agent = lab.new_agent();
    let digest = TokenDigest::of(&lab.tag());
    assert_eq!(lab.find_agent(agent.id), None);
    assert_eq!(lab.read(|uow| uow.agents().find_by_recovery(&digest)), None);
    assert_eq!(lab.write(|uow| uow.agents().lock(agent.id)), None);
    assert!(!lab.statement(|uow| uow.agents().update(&agent)));
    assert!(!lab.statement(|uow| uow.agents().delete(agent.id)));
}

/// `Conflict(Other)`, for a new agent and for a changed one.
pub fn a_taken_id_or_recovery_key_of_an_agent_is_a_conflict(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (agent, changed) = (lab.agent(), lab.agent());
    let by_id = Agent { id: agent.id, ..lab.new_agent() };
    let by_recovery = Agent { recovery: agent.recovery, ..lab.new_agent() };
    for rival in [by_id, by_recovery] {
        let refused = storage.transact(|uow| uow.agents().insert(&rival));
        assert!(matches!(refused, Err(StoreError::Conflict(UniqueKey::Other))), "{refused:?}");
    }
    let rival = Agent { recovery: agent.recovery, ..changed.clone() };
    let refused = storage.transact(|uow| uow.agents().update(&rival));
    assert!(matches!(refused, Err(StoreError::Conflict(UniqueKey::Other))), "{refused:?}");
    for agent in [agent, changed] {
        assert_eq!(lab.find_agent(agent.id), Some(agent));
    }
}

/// Two have none.
pub fn agents_without_a_recovery_key_are_in_nobodys_way(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let [mut agent, other] =
        [(); 2].map(|()| lab.add_agent(Agent { recovery: None, ..lab.new_agent() }));
    agent.recovery = Some(TokenDigest::of(&lab.tag()));
    for recovery in [agent.recovery, None] {
        agent.recovery = recovery;
        assert!(lab.statement(|uow| uow.agents().update(&agent)));
        assert_eq!(lab.find_agent(agent.id).as_ref(), Some(&agent));
    }
    assert_eq!(lab.find_agent(other.id), Some(other));
}

/// Nothing is left of a user that another transaction has deleted.
pub fn an_agent_of_an_unknown_user_is_refused(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let known = lab.agent();
    let agent = Agent { owner: Some(lab.user_id()), ..lab.new_agent() };
    assert!(storage.transact(|uow| uow.agents().insert(&agent)).is_err());
    assert_eq!(lab.find_agent(agent.id), None);
    let taken = Agent { owner: agent.owner, ..known.clone() };
    assert!(storage.transact(|uow| uow.agents().update(&taken)).is_err());
    assert_eq!(lab.find_agent(known.id), Some(known));
}

/// Everything else is changed, also to nothing.
pub fn an_update_of_an_agent_leaves_its_making_and_others_alone(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (agent, other) = (lab.agent(), lab.agent());
    let full = Agent { id: agent.id, status: AgentStatus::Suspended, ..full(&lab) };
    let bare = Agent { id: agent.id, recovery: None, created_at: at(99), ..lab.new_agent() };
    for changed in [full, bare] {
        assert_ne!(changed.created_at, agent.created_at);
        assert!(lab.statement(|uow| uow.agents().update(&changed)));
        let expected = Agent { created_at: agent.created_at, ..changed };
        assert_eq!(lab.find_agent(agent.id), Some(expected));
    }
    let by_key = |digest| lab.read(|uow| uow.agents().find_by_recovery(digest));
    assert_eq!(by_key(agent.recovery.as_ref().unwrap()), None, "the key was replaced");
    assert_eq!(by_key(other.recovery.as_ref().unwrap()), Some(other));
}

/// Whoever locks the agent sees what the one before has written.
pub fn of_parallel_changes_to_a_locked_agent_none_is_lost(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let id = lab.agent().id;
    in_parallel(|index| {
        lab.write(|uow| {
            let mut agent = uow.agents().lock(id)?.unwrap();
            let mut tags = agent.profile.tags.as_slice().to_vec();
            tags.push(index.to_string());
            agent.profile.tags = Tags::from_stored(tags);
            uow.agents().update(&agent)
        })
    });
    assert_eq!(lab.find_agent(id).unwrap().profile.tags.as_slice().len(), THREADS);
}

/// Keys, mailed tokens, recovery codes, known networks, mails.
pub fn deletion_takes_along_what_belongs_to_the_agent(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let address = lab.address();
    let deleted = lab.agent_at(&address);
    let agent = deleted.id;
    let (key, token) = (lab.api_key(agent), lab.agent_token(agent));
    let request = lab.recovery();
    let code = lab.code(request.id, agent);
    assert!(lab.statement(|uow| uow.agent_networks().touch(agent, "n", at(0), at(0))));
    let mails = [
        lab.queue(OutboxEntry { agent: Some(agent), ..lab.new_mail() }),
        lab.queue(OutboxEntry { agent_token: Some(token.digest), ..lab.new_mail() }),
    ];
    assert!(lab.write(|uow| uow.agents().delete(agent)));
    assert_eq!(lab.find_agent(agent), None);
    assert_eq!(lab.find_api_key(key.id), None);
    assert_eq!(lab.read(|uow| uow.agent_access().find_key(&key.digest)), None);
    assert_eq!(lab.read(|uow| uow.agent_tokens().find(&token.digest, at(0))), None);
    assert_eq!(lab.codes(&[request.id]), []);
    assert!(!lab.statement(|uow| uow.recoveries().spend(request.id, agent, at(0))));
    assert_eq!(lab.read(|uow| uow.agents().list_proven(&address, 9)), []);
    assert!(!lab.read(|uow| uow.agent_networks().is_known(&address, "n", at(0))));
    assert_eq!(lab.waiting(mails.each_ref()), [false; 2]);
    // Nothing of it is in the way of the same one, nor comes back with it.
    lab.add_agent(deleted);
    assert_eq!(lab.read(|uow| uow.api_keys().count_live(agent, at(0))), 0);
    assert!(!lab.read(|uow| uow.agent_networks().is_known(&address, "n", at(0))));
    lab.write(|uow| {
        uow.api_keys().insert(&key)?;
        uow.agent_tokens().put(&token)?;
        uow.recoveries().add_code(&code)
    });
    assert!(lab.statement(|uow| uow.agent_networks().touch(agent, "n", at(0), at(0))));
}

/// Its owner, its audit log, tokens that are spent, the request for codes.
pub fn deletion_leaves_other_agents_and_what_outlives_it_alone(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let owner = lab.user();
    let gone = lab.add_agent(Agent { owner: Some(owner.id), ..lab.new_agent() }).id;
    let other = lab.add_agent(Agent { owner: Some(owner.id), ..lab.new_agent() });
    let (key, token) = (lab.api_key(other.id), lab.agent_token(other.id));
    let request = lab.recovery();
    lab.code(request.id, gone);
    let code = lab.code(request.id, other.id);
    let spent = SpentToken { agent: gone, ..lab.new_spent() };
    assert!(lab.statement(|uow| uow.spent_tokens().spend(&spent)));
    let (action, by) = (Action::AgentDeleted, Actor::Agent(gone));
    let event = AuditEvent::new(action, by, &Origin::local(), at(0), &lab.entropy).unwrap();
    lab.write(|uow| uow.audit().append(&event));
    let mail = lab.queue(OutboxEntry { agent: Some(other.id), ..lab.new_mail() });
    let asked = lab.queue(OutboxEntry { recovery: Some(request.id), ..lab.new_mail() });
    assert!(lab.write(|uow| uow.agents().delete(gone)));
    assert_eq!(lab.find_api_key(key.id), Some(key));
    assert_eq!(lab.read(|uow| uow.agent_tokens().find(&token.digest, at(0))), Some(token));
    assert_eq!(lab.codes(&[request.id]), [code]);
    assert_eq!(lab.read(|uow| uow.recoveries().find_open(request.id, at(0))), Some(request));
    assert!(lab.read(|uow| uow.spent_tokens().is_spent(spent.id)));
    let events = lab.read(|uow| uow.audit().list_for_agent(gone, &Slice::first(9)));
    assert_eq!(events.items, [event]);
    assert_eq!(lab.waiting([&mail, &asked]), [true; 2]);
    assert_eq!(lab.find_agent(other.id), Some(other));
    assert_eq!(lab.read(|uow| uow.users().find(owner.id)), Some(owner));
}

/// And stay as they were otherwise.
pub fn agents_of_a_deleted_user_belong_to_nobody(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (user, other) = (lab.user().id, lab.user().id);
    let [mut first, mut second, foreign] = [user, user, other]
        .map(|owner| lab.add_agent(Agent { owner: Some(owner), ..lab.new_agent() }));
    let key = lab.api_key(first.id);
    assert!(lab.write(|uow| uow.users().delete(user)));
    (first.owner, second.owner) = (None, None);
    for agent in [first, second, foreign] {
        assert_eq!(lab.find_agent(agent.id), Some(agent));
    }
    assert_eq!(lab.find_api_key(key.id), Some(key));
    assert_eq!(lab.read(|uow| uow.agents().list_owned(user)), []);
}
