//! AMD's host driver gim: it reads how many virtual functions it shall make when it is loaded, for all of its cards at once.
//!
//! | gim | says how many in | |
//! |---|---|---|
//! | of the FirePro S7150 | `/etc/gim_config`, `vf_num=N` | the same for every card |
//! | of Instinct and Radeon Pro V710 | module parameter `vf_num=N0,N1,…` | card by card |

use super::{
    Action, DEVICES, carved,
    draft::{Draft, run},
    native,
};
use crate::inventory::Gpu;
use oriel_model::PciAddress;

const CONFIG: &str = "/etc/gim_config";
const OPTIONS: &str = "/etc/modprobe.d/oriel-gim.conf";

fn functions_of(draft: &Draft<'_>, gpu: &Gpu) -> u64 {
    draft.sysfs.number(&format!("{}/sriov_numvfs", gpu.path())).unwrap_or(0)
}

/// Every card that gim has or will have, with how many functions each has; `count` for the GPU itself when given.
fn numbers(draft: &Draft<'_>, count: Option<u64>) -> String {
    let cards =
        draft.inventory.gpus.iter().filter(|gpu| {
            gpu.driver.as_deref() == Some("gim") || (gpu.address == draft.gpu.address && count.is_some())
        });
    let number = |gpu: &Gpu| match count {
        Some(count) if gpu.address == draft.gpu.address => count,
        _ => functions_of(draft, gpu),
    };
    cards.map(|gpu| number(gpu).to_string()).collect::<Vec<_>>().join(",")
}

fn old_style(draft: &Draft<'_>) -> bool {
    draft.sysfs.exists(CONFIG)
}

/// `modprobe gim` so that all is as it is now.
fn load_as_now(draft: &Draft<'_>) -> Action {
    if old_style(draft) {
        return run(["modprobe", "gim"]);
    }
    run(["modprobe", "gim", &format!("vf_num={}", numbers(draft, None))])
}

/// The other cards that gim has.
fn others(draft: &Draft<'_>) -> Vec<PciAddress> {
    let cards = draft.inventory.gpus.iter().filter(|gpu| gpu.driver.as_deref() == Some("gim"));
    cards.filter(|gpu| gpu.address != draft.gpu.address).filter_map(|gpu| gpu.address.pci()).collect()
}

/// Unloads it, with every virtual function of every card of it. Nobody may use any of them.
pub(super) fn unload(draft: &mut Draft<'_>) {
    for other in others(draft) {
        draft.stop(format!("the virtual functions of {other}: gim makes those of all its cards at once"));
        if let Some((what, who)) = draft.usage.below(draft.sysfs, &carved::folder(other)) {
            draft.needs_drain = true;
            draft.refuse(
                "in-use",
                format!(
                    "{what} of {other} is in use by {who}, and gim must go for all its cards at once; stop that desktop first"
                ),
            );
        }
        let functions = carved::functions(draft.sysfs, &carved::folder(other));
        native::let_functions_go(draft, &functions);
    }
    let own = draft.carved.functions.clone();
    native::let_functions_go(draft, &own);
    draft.needs_drain |= !own.is_empty();
    let undo = load_as_now(draft);
    draft.step(
        "unload AMD's host driver gim, and all virtual functions with it",
        run(["modprobe", "-r", "gim"]),
        Some(undo),
    );
    draft.unloaded = Some("gim");
}

/// Loads it again for the other cards, when it was unloaded and there are any.
pub(super) fn load_for_others(draft: &mut Draft<'_>) {
    if draft.unloaded != Some("gim") || others(draft).is_empty() {
        return;
    }
    let action = if old_style(draft) {
        run(["modprobe", "gim"])
    } else {
        let counts: Vec<String> = others(draft)
            .into_iter()
            .map(|other| draft.sysfs.number(&format!("{DEVICES}/{other}/sriov_numvfs")).unwrap_or(0).to_string())
            .collect();
        run(["modprobe", "gim", &format!("vf_num={}", counts.join(","))])
    };
    draft.step("load gim again for its other cards", action, Some(run(["modprobe", "-r", "gim"])));
}

/// So many functions of this card.
pub(super) fn make(draft: &mut Draft<'_>, own: PciAddress, count: u64) {
    let gim_has_it = draft.driver(own).as_deref() == Some("gim");
    if gim_has_it && draft.carved.functions.len() as u64 == count {
        return;
    }
    let (path, content) = wanted(draft, count);
    if gim_has_it || draft.sysfs.exists("/sys/module/gim") {
        unload(draft);
    }
    native::to_own_driver(draft);
    let old = draft.sysfs.read(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    if old.as_deref() != Some(content.as_str()) {
        draft.step(
            format!("tell gim to make {count} virtual functions"),
            Action::Save { path: path.to_owned(), content: Some(content) },
            Some(Action::Save { path: path.to_owned(), content: old }),
        );
    }
    draft.step("load gim", run(["modprobe", "gim"]), Some(run(["modprobe", "-r", "gim"])));
    draft.wait("wait for the virtual functions", format!("{DEVICES}/{own}/virtfn{}", count.saturating_sub(1)));
}

/// The configuration that makes it so.
fn wanted(draft: &Draft<'_>, count: u64) -> (&'static str, String) {
    if !old_style(draft) {
        return (OPTIONS, format!("options gim vf_num={}\n", numbers(draft, Some(count))));
    }
    let text = draft.sysfs.text(CONFIG).unwrap_or_default();
    let mut found = false;
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let is_number = line.trim_start().starts_with("vf_num");
        found |= is_number;
        lines.push(if is_number { format!("vf_num={count}") } else { line.to_owned() });
    }
    if !found {
        lines.push(format!("vf_num={count}"));
    }
    (CONFIG, format!("{}\n", lines.join("\n")))
}
