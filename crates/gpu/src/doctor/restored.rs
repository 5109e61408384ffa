//! Modes that somebody set and that the card is not in: a start of the host that could not restore them, or somebody who changed
//! the card by hand.

use super::{case::Case, draft::warning};
use crate::{
    inventory::Gpu,
    mode::{self, Wish},
};
use oriel_model::Finding;

pub(super) fn gpu(case: &Case<'_>, gpu: &Gpu, findings: &mut Vec<Finding>) {
    let Some(wish) = case.options.wishes.iter().find(|wish| wish.gpu == gpu.address) else { return };
    // What must still be done for it says whether it is so.
    let Ok(plan) = mode::plan(case.sysfs, case.inventory, wish) else { return };
    if plan.is_nothing() {
        return;
    }
    let why = match plan.refused.first() {
        Some(refusal) => format!(": {}", refusal.reason.trim_end_matches('.')),
        None if plan.needs_reboot => "; the rest follows with a restart of the host".to_owned(),
        None => String::new(),
    };
    let driver = gpu.driver.as_deref().unwrap_or("none");
    findings.push(
        warning("mode-not-restored", &gpu.address)
            .saw(&case.options.wishes_file, words(wish))
            .saw(format!("{}/driver", gpu.path()), format!("{driver}; the mode is {}", gpu.mode.word()))
            .because(format!(
                "mode {} was set for this card and is not in force{why}; desktops that need it do not start",
                words(wish)
            ))
            .fix(format!("oriel gpu mode set {} {}", gpu.address, words(wish)))
            .see("https://docs.kernel.org/driver-api/vfio.html"),
    );
}

/// As it is typed.
fn words(wish: &Wish) -> String {
    let mut words = vec![wish.mode.word().to_owned()];
    words.extend(wish.profile.as_ref().map(|profile| format!("--profile {profile}")));
    words.extend(wish.count.map(|count| format!("--count {count}")));
    words.extend(wish.mixed.then(|| "--mixed".to_owned()));
    words.extend(wish.force.then(|| "--force".to_owned()));
    words.join(" ")
}
