use portcullis_credentials::{RecoveryCode, RecoveryRequest, Tried};
use portcullis_kernel::{AgentId, Instant, RecoveryId, StoreResult, UniqueKey};

use super::{
    Unit,
    tables::{check_free, check_there},
};
use crate::RecoveryRepository;

impl RecoveryRepository for Unit<'_> {
    fn open(&mut self, request: &RecoveryRequest) -> StoreResult<()> {
        self.change(|tables| {
            check_free(tables.recoveries.contains(&request.id), UniqueKey::Other)?;
            let earlier = tables.recoveries.keys_where(u32::MAX, |_, other| {
                other.email == request.email
                    && other.side == request.side
                    && other.closed_at.is_none()
            });
            for id in earlier {
                let now = request.created_at;
                tables.recoveries.update(&id, |request| request.closed_at = Some(now));
                tables.remove_mails(|entry| entry.recovery == Some(id));
            }
            tables.recoveries.put(request.id, request.clone());
            Ok(())
        })
    }

    fn find_open(&mut self, id: RecoveryId, now: Instant) -> StoreResult<Option<RecoveryRequest>> {
        self.read(|tables| tables.recoveries.get(&id).filter(|found| found.is_open(now)).cloned())
    }

    fn lock_open(&mut self, id: RecoveryId, now: Instant) -> StoreResult<Option<RecoveryRequest>> {
        self.change(|tables| {
            Ok(tables.recoveries.get(&id).filter(|found| found.is_open(now)).cloned())
        })
    }

    fn lock_all(&mut self, canonical: &str, now: Instant) -> StoreResult<Vec<RecoveryRequest>> {
        self.change(|tables| {
            let requests = tables.recoveries.values();
            let theirs =
                requests.filter(|found| found.email == canonical && now < found.expires_at);
            Ok(theirs.cloned().collect())
        })
    }

    fn add_code(&mut self, code: &RecoveryCode) -> StoreResult<()> {
        self.change(|tables| {
            tables.check_agent(code.agent)?;
            check_there(tables.recoveries.contains(&code.request), "recovery request")?;
            let key = (code.request, code.agent);
            check_free(tables.recovery_codes.contains(&key), UniqueKey::Other)?;
            tables.recovery_codes.put(key, code.clone());
            Ok(())
        })
    }

    fn codes(&mut self, requests: &[RecoveryId]) -> StoreResult<Vec<RecoveryCode>> {
        self.read(|tables| {
            let codes = tables.recovery_codes.values();
            codes.filter(|code| requests.contains(&code.request)).cloned().collect()
        })
    }

    fn take_try(&mut self, id: RecoveryId, tried: Tried, most: u32) -> StoreResult<bool> {
        self.change(|tables| {
            let left = tables.recoveries.get(&id).is_some_and(|found| tries(found, tried) < most);
            Ok(left && tables.recoveries.update(&id, |found| *tries_mut(found, tried) += 1))
        })
    }

    fn give_back_try(&mut self, id: RecoveryId, tried: Tried) -> StoreResult<()> {
        self.change(|tables| {
            tables.recoveries.update(&id, |found| {
                let count = tries_mut(found, tried);
                *count = count.saturating_sub(1);
            });
            Ok(())
        })
    }

    fn spend(&mut self, request: RecoveryId, agent: AgentId, now: Instant) -> StoreResult<bool> {
        self.change(|tables| {
            let key = (request, agent);
            let unused = tables.recovery_codes.get(&key).is_some_and(|code| code.used_at.is_none());
            Ok(unused && tables.recovery_codes.update(&key, |code| code.used_at = Some(now)))
        })
    }

    fn remove_open_codes(&mut self, agent: AgentId) -> StoreResult<u64> {
        self.change(|tables| {
            Ok(tables
                .recovery_codes
                .remove_where(u32::MAX, |_, code| code.agent == agent && code.used_at.is_none()))
        })
    }

    fn delete_expired(&mut self, now: Instant, limit: u32) -> StoreResult<u64> {
        self.change(|tables| {
            let expired = tables.recoveries.keys_where(limit, |_, found| found.expires_at <= now);
            Ok(expired
                .into_iter()
                .fold(0, |count, id| count + u64::from(tables.remove_recovery(id))))
        })
    }
}

fn tries(request: &RecoveryRequest, tried: Tried) -> u32 {
    match tried {
        Tried::ByAsker => request.own_tries,
        Tried::ByOther => request.other_tries,
    }
}

fn tries_mut(request: &mut RecoveryRequest, tried: Tried) -> &mut u32 {
    match tried {
        Tried::ByAsker => &mut request.own_tries,
        Tried::ByOther => &mut request.other_tries,
    }
}
