//! `kill -9` under load: what was acknowledged is there afterwards, and what was spent stays spent.

use std::time::Duration;

use crate::harness::{Home, Load, check_diaries, each_database, random};

const CLIENTS: usize = 12;
const KILLS: usize = 5;
const PATIENCE: Duration = Duration::from_mins(1);

fn f2_f3_nothing_acknowledged_is_lost_by_kill_9(home: &mut Home) {
    home.without_limits();
    let mut server = home.start();
    let load = Load::on(&[server.address()], CLIENTS);
    for _ in 0..KILLS {
        let more = 40 + usize::try_from(random() % 80).unwrap();
        load.wait_for(more, PATIENCE);
        server.kill();
        server = home.start();
    }
    load.wait_for(50, PATIENCE);
    assert_eq!(load.unavailable(), 0, "the database was there all the time");
    let diaries = load.stop();
    let verdict = check_diaries(&diaries, &mut server.client());
    assert!(verdict.locked_out <= CLIENTS * KILLS, "only requests in flight can be in doubt");
    eprintln!(
        "{KILLS} kills: {} accounts, {} answers lost, {} clients locked out",
        verdict.accounts, verdict.doubts, verdict.locked_out
    );
}

each_database!(f2_f3_nothing_acknowledged_is_lost_by_kill_9);
