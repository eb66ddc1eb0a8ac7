//! Rows of agents are locked in one order, too: requests for codes, users, agents, what belongs to an agent,
//! mails, buckets, audit.

use mockall::{Sequence, predicate::eq};
use portcullis_audit::{Action, Actor};
use portcullis_credentials::{RecoveryCode, RecoveryRequest};
use portcullis_email::OutboxEntry;
use portcullis_flows::agents::CreateKey;
use portcullis_identity::Agent;
use portcullis_kernel::Origin;
use portcullis_limits::HitLog;
use portcullis_storage::TxMode::{self, Read, Statement, Write};
use portcullis_testkit::engine::TestEngine;

use super::{
    super::{
        JANE, People as _, Stored as _,
        agents::{Agents as _, BOX, StoredAgents as _},
        home,
        mailbox::{Mail as _, kinds, waiting},
    },
    planned::{Unit, planned},
};

/// What lies in storage of the requests to [`BOX`].
fn requests(donor: &TestEngine) -> (RecoveryRequest, Vec<RecoveryCode>) {
    let mut uow = donor.storage.begin(TxMode::Write).unwrap();
    let request = uow.recoveries().lock_all(BOX, donor.now()).unwrap().remove(0);
    let codes = uow.recoveries().codes(&[request.id]).unwrap();
    (request, codes)
}

#[test]
fn a_recovery_holds_the_requests_then_the_agent_then_what_belongs_to_it() {
    let donor = TestEngine::new();
    let bot = donor.sign_up_at("bot", BOX);
    let code = donor.codes(BOX).remove(0).1;
    let (request, codes) = requests(&donor);
    let (agent, id): (Agent, _) = (donor.agent(bot.id), request.id);
    let mut order = Sequence::new();
    let recovers = Unit::expecting(|unit| {
        let seq = &mut order;
        let lock = unit.recoveries.expect_lock_all().times(1).in_sequence(seq);
        lock.return_once(move |_, _| Ok(vec![request]));
        let read = unit.recoveries.expect_codes().times(1).in_sequence(seq);
        read.return_once(move |_| Ok(codes));
        // Counted before it is compared.
        let count = unit.recoveries.expect_take_try().times(1).in_sequence(seq);
        count.withf(move |of, _, most| *of == id && *most == 5).returning(|_, _, _| Ok(true));
        let hold = unit.agents.expect_lock().with(eq(bot.id)).times(1).in_sequence(seq);
        hold.return_once(move |_| Ok(Some(agent)));
        let spend = unit.recoveries.expect_spend().times(1).in_sequence(seq);
        spend.returning(|_, _, _| Ok(true));
        let back = unit.recoveries.expect_give_back_try().times(1).in_sequence(seq);
        back.returning(|_, _| Ok(()));
        let kill = unit.recoveries.expect_remove_open_codes().times(1).in_sequence(seq);
        kill.returning(|_| Ok(0));
        let links = unit.agent_tokens.expect_remove_open().times(1).in_sequence(seq);
        links.returning(|_| Ok(0));
        let update = unit.agents.expect_update().times(1).in_sequence(seq);
        update.returning(|_| Ok(true));
        let keys = unit.api_keys.expect_revoke_all().times(1).in_sequence(seq);
        keys.returning(|_, _| Ok(0));
        unit.rate_limits.expect_charge().returning(|_, _, _, _, _| Ok(Some(HitLog::default())));
        let mail = unit.outbox.expect_insert().times(1).in_sequence(seq);
        mail.returning(|_| Ok(()));
        let append = unit.audit.expect_append().times(1).in_sequence(seq);
        append.withf(|event| event.action == Action::AgentRecovered).returning(|_| Ok(()));
    });
    let engine = planned(&donor, vec![(Write, recovers.published())]).build();
    assert_eq!(engine.try_recover(BOX, &code, true, &home()).unwrap().id, bot.id);
}

#[test]
fn a_request_for_codes_is_held_before_its_agents_and_those_in_the_order_of_their_ids() {
    let donor = TestEngine::new();
    let mut agents: Vec<_> = (0..3).map(|_| donor.agent(donor.sign_up_at("bot", BOX).id)).collect();
    donor.try_ask(BOX, None, &home()).unwrap();
    let mut entry: OutboxEntry = waiting(&donor).remove(0);
    entry.attempts = 1;
    let (request, _) = requests(&donor);
    let (live, open) = (request.clone(), request);
    agents.sort_by_key(|agent| std::cmp::Reverse(agent.id));
    let found = agents.clone();
    let is_due = |due| {
        Unit::expecting(|unit| {
            unit.outbox.expect_is_due().times(1).returning(move |_, _| Ok(due));
        })
    };
    let claimed = entry.clone();
    let claim = Unit::expecting(|unit| {
        unit.outbox.expect_claim().times(1).return_once(move |_, _, _| Ok(Some(claimed)));
    });
    let look = Unit::expecting(|unit| {
        unit.recoveries.expect_find_open().times(1).return_once(move |_, _| Ok(Some(live)));
        unit.recoveries.expect_codes().returning(|_| Ok(Vec::new()));
    });
    let mut order = Sequence::new();
    let fulfils = Unit::expecting(|unit| {
        let seq = &mut order;
        let request = unit.recoveries.expect_lock_open().times(1).in_sequence(seq);
        request.return_once(move |_, _| Ok(Some(open)));
        unit.agents.expect_list_proven().times(1).return_once(move |_, _| Ok(found));
        for agent in agents.iter().rev().cloned() {
            let hold = unit.agents.expect_lock().with(eq(agent.id)).times(1).in_sequence(seq);
            hold.return_once(move |_| Ok(Some(agent)));
        }
        let take = unit.outbox.expect_remove().times(1).in_sequence(seq);
        take.returning(|_, _| Ok(true));
        unit.recoveries.expect_add_code().times(3).returning(|_| Ok(()));
        let mail = unit.outbox.expect_insert().times(1).in_sequence(seq);
        mail.withf(|mail| mail.recovery.is_some() && mail.agent.is_none()).returning(|_| Ok(()));
        unit.audit.expect_append().times(3).returning(|_| Ok(()));
    });
    let units = vec![
        (Read, is_due(true)),
        (Statement, claim),
        (Read, look),
        (Write, fulfils.published()),
        (Read, is_due(false)),
    ];
    let engine = planned(&donor, units).build();
    assert!(kinds(&engine.deliver()).is_empty(), "the letter waits for its own turn");
}

#[test]
fn a_user_is_held_before_their_agents_and_erased_after_them() {
    let donor = TestEngine::new();
    let jane = donor.join(JANE).user;
    donor.deliver();
    let bots: Vec<_> = (0..2)
        .map(|_| {
            let mut agent = donor.agent(donor.sign_up_bot("bot").id);
            agent.owner = Some(jane.id);
            agent
        })
        .collect();
    let id = jane.id;
    let mut order = Sequence::new();
    let erased = Unit::expecting(|unit| {
        let seq = &mut order;
        let hold = unit.users.expect_lock().with(eq(id)).times(1).in_sequence(seq);
        hold.return_once(move |_| Ok(Some(jane)));
        let owned = bots.clone();
        let list = unit.agents.expect_list_owned().with(eq(id)).times(1).in_sequence(seq);
        list.return_once(move |_| Ok(owned));
        for agent in bots {
            let bot = agent.id;
            let look = unit.registrations.expect_find_by_agent().with(eq(bot)).times(1);
            look.in_sequence(seq).returning(|_| Ok(None));
            let hold = unit.agents.expect_lock().with(eq(bot)).times(1).in_sequence(seq);
            hold.return_once(move |_| Ok(Some(agent)));
            let disown = unit.agents.expect_update().times(1).in_sequence(seq);
            disown
                .withf(|agent| agent.owner.is_none() && agent.recovery.is_none())
                .returning(|_| Ok(true));
            let look = unit.registrations.expect_find_by_agent().with(eq(bot)).times(1);
            look.in_sequence(seq).returning(|_| Ok(None));
            let keys = unit.api_keys.expect_revoke_all().times(1).in_sequence(seq);
            keys.returning(|_, _| Ok(1));
            let links = unit.agent_tokens.expect_remove_open().times(1).in_sequence(seq);
            links.returning(|_| Ok(0));
            let codes = unit.recoveries.expect_remove_open_codes().times(1).in_sequence(seq);
            codes.returning(|_| Ok(0));
            let told = unit.audit.expect_append().times(1).in_sequence(seq);
            told.withf(move |event| {
                event.action == Action::AgentDisowned && event.agent == Some(bot)
            })
            .returning(|_| Ok(()));
        }
        let delete = unit.users.expect_delete().times(1).in_sequence(seq);
        delete.returning(|_| Ok(true));
        unit.invitations.expect_remove_for().times(1).returning(|_| Ok(0));
        let forget = unit.audit.expect_pseudonymise().times(1).in_sequence(seq);
        forget.returning(|_| Ok(1));
        let append = unit.audit.expect_append().times(1).in_sequence(seq);
        append.withf(|event| event.action == Action::UserDeleted).returning(|_| Ok(()));
    });
    let engine = planned(&donor, vec![(Write, erased.published())]).build();
    engine.delete_user(id, Actor::Operator, &Origin::local()).unwrap();
}

#[test]
fn an_owner_is_held_before_their_agent_and_that_before_its_keys() {
    let donor = TestEngine::new();
    let jane = donor.bearer(&donor.join(JANE).tokens);
    let mut agent = donor.agent(donor.sign_up_bot("bot").id);
    agent.owner = Some(jane.user.id);
    let session = donor.look(|uow| uow.sessions().find_live(jane.session, donor.now())).unwrap();
    let (found, id) = (agent.clone(), agent.id);
    let look = Unit::expecting(|unit| {
        unit.agents.expect_find().with(eq(id)).times(1).return_once(move |_| Ok(Some(found)));
    });
    let mut order = Sequence::new();
    let makes = Unit::expecting(|unit| {
        let seq = &mut order;
        let owner = unit.users.expect_hold_active().with(eq(jane.user.id)).times(1);
        owner.in_sequence(seq).returning(|_| Ok(true));
        let live = unit.sessions.expect_find_live().times(1).in_sequence(seq);
        live.return_once(move |_, _| Ok(Some(session)));
        let hold = unit.agents.expect_lock().with(eq(id)).times(1).in_sequence(seq);
        hold.return_once(move |_| Ok(Some(agent)));
        let count = unit.api_keys.expect_count_live().times(1).in_sequence(seq);
        count.returning(|_, _| Ok(0));
        let insert = unit.api_keys.expect_insert().times(1).in_sequence(seq);
        insert.withf(move |key| key.agent == id).returning(|_| Ok(()));
        let append = unit.audit.expect_append().times(1).in_sequence(seq);
        append.withf(|event| event.action == Action::ApiKeyCreated).returning(|_| Ok(()));
    });
    let units = vec![(Read, look), (Write, makes.published())];
    let engine = planned(&donor, units).options(|options| options.limits.enabled = false).build();
    let wanted = CreateKey { name: "ci".into(), ..CreateKey::default() };
    engine.create_owned_key(&jane, &id.to_string(), wanted, &home()).unwrap();
}

#[test]
fn a_code_for_an_agent_that_moved_away_meanwhile_replaces_nothing() {
    let donor = TestEngine::new();
    let bot = donor.sign_up_at("bot", BOX);
    let code = donor.codes(BOX).remove(0).1;
    let (request, codes) = requests(&donor);
    let mut moved = donor.agent(bot.id);
    moved.email = None;
    for gone in [Some(moved), None] {
        let (request, codes) = (request.clone(), codes.clone());
        let unit = Unit::expecting(|unit| {
            unit.recoveries.expect_lock_all().return_once(move |_, _| Ok(vec![request]));
            unit.recoveries.expect_codes().return_once(move |_| Ok(codes));
            unit.recoveries.expect_take_try().times(1).returning(|_, _, _| Ok(true));
            unit.agents.expect_lock().times(1).return_once(move |_| Ok(gone));
        });
        let engine = planned(&donor, vec![(Write, unit.published())]).build();
        assert!(engine.try_recover(BOX, &code, false, &home()).is_err());
    }
}
