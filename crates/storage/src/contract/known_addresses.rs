//! Cases of [`KnownAddressRepository`](crate::KnownAddressRepository).

use super::{
    case_list,
    lab::{Lab, TICK, at, in_parallel},
};
use crate::Storage;

case_list! {
    an_address_is_known_since_the_last_sign_in_from_it,
    an_address_is_known_for_one_user_only,
    a_late_note_of_an_earlier_sign_in_forgets_nothing,
    many_sign_ins_at_once_are_all_noted,
    a_users_addresses_are_listed_since_a_time,
    a_users_addresses_are_forgotten,
}

const ADDRESS: &str = "2001:db8:1:2::/64";

/// To the microsecond.
pub fn an_address_is_known_since_the_last_sign_in_from_it(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let user = lab.user().id;
    let known = |since| lab.read(|uow| uow.known_addresses().is_known(user, ADDRESS, since));
    assert!(!known(at(-1000)));
    for now in [at(0) + TICK, at(60) + TICK] {
        assert!(!known(now));
        lab.statement(|uow| uow.known_addresses().touch(user, ADDRESS, now));
        assert!(known(now - TICK));
        assert!(known(now));
        assert!(!known(now + TICK));
    }
}

/// And no other address is.
pub fn an_address_is_known_for_one_user_only(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (user, other) = (lab.user().id, lab.user().id);
    lab.statement(|uow| uow.known_addresses().touch(user, ADDRESS, at(0)));
    for (user, address, known) in
        [(user, ADDRESS, true), (other, ADDRESS, false), (user, "192.0.2.1", false)]
    {
        let is_known = lab.read(|uow| uow.known_addresses().is_known(user, address, at(0)));
        assert_eq!(is_known, known, "{address}");
    }
}

/// As happens when clocks of two instances differ.
pub fn a_late_note_of_an_earlier_sign_in_forgets_nothing(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let user = lab.user().id;
    for second in [10, 5] {
        lab.statement(|uow| uow.known_addresses().touch(user, ADDRESS, at(second)));
    }
    assert!(lab.read(|uow| uow.known_addresses().is_known(user, ADDRESS, at(10))));
}

/// Without a conflict.
pub fn many_sign_ins_at_once_are_all_noted(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let user = lab.user().id;
    in_parallel(|index| {
        let now = at(i64::try_from(index).unwrap());
        lab.statement(|uow| uow.known_addresses().touch(user, ADDRESS, now));
    });
    assert!(lab.read(|uow| uow.known_addresses().is_known(user, ADDRESS, at(15))));
    assert!(!lab.read(|uow| uow.known_addresses().is_known(user, ADDRESS, at(16))));
}

/// To the microsecond; others' are not.
pub fn a_users_addresses_are_listed_since_a_time(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (user, other) = (lab.user().id, lab.user().id);
    for (user, address, second) in
        [(user, "192.0.2.1", 1), (user, ADDRESS, 3), (user, "192.0.2.1", 2), (other, "a", 9)]
    {
        lab.statement(|uow| uow.known_addresses().touch(user, address, at(second)));
    }
    let list = |user, since| {
        let mut addresses = lab.read(|uow| uow.known_addresses().list(user, since));
        addresses.sort();
        addresses
    };
    assert_eq!(list(user, at(2)), ["192.0.2.1", ADDRESS]);
    assert_eq!(list(user, at(2) + TICK), [ADDRESS]);
    assert_eq!(list(user, at(3) + TICK), [""; 0]);
    assert_eq!(list(other, at(0)), ["a"]);
    assert_eq!(list(lab.user_id(), at(0)), [""; 0]);
}

/// All of them, and nobody else's.
pub fn a_users_addresses_are_forgotten(storage: &dyn Storage) {
    let lab = Lab::new(storage);
    let (user, other) = (lab.user().id, lab.user().id);
    for (user, address) in [(user, ADDRESS), (user, "192.0.2.1"), (other, ADDRESS)] {
        lab.statement(|uow| uow.known_addresses().touch(user, address, at(0)));
    }
    let forget = || lab.statement(|uow| uow.known_addresses().forget(user));
    assert_eq!([forget(), forget()], [2, 0]);
    for (user, known) in [(user, false), (other, true)] {
        let is_known = lab.read(|uow| uow.known_addresses().is_known(user, ADDRESS, at(0)));
        assert_eq!(is_known, known);
    }
}
