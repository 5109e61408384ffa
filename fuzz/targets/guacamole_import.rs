#![no_main]
//! A user-mapping.xml from anywhere: an error or a plan whose every machine could be kept, in bounded memory.

use libfuzzer_sys::fuzz_target;
use oriel_guacamole::{PARAMETERS_MAX, TEXT_BYTES_MAX};
use std::collections::BTreeSet;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(site) = oriel_guacamole::parse_user_mapping(text) else { return };
    for connection in &site.connections {
        assert!(connection.parameters.len() <= PARAMETERS_MAX);
        assert!(connection.parameters.values().all(|value| value.len() <= TEXT_BYTES_MAX));
        assert!(!connection.users.is_empty());
    }
    let people: BTreeSet<String> = site.people.iter().map(|person| person.name.clone()).collect();
    let plan = oriel_guacamole::plan(site);
    let (mut pools, mut machines) = (BTreeSet::new(), BTreeSet::new());
    for pool in plan.pools {
        assert!(pools.insert(pool.name.clone()), "two pools of one name");
        assert!(pool.users.is_subset(&people), "somebody who is not there");
        assert!(!pool.machines.is_empty());
        for machine in pool.machines {
            assert!(machines.insert(machine.name.clone()), "two machines of one name");
            assert_eq!(machine.external.check(), Ok(()));
        }
    }
});
