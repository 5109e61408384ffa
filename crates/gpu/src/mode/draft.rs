//! A plan in the making.

use super::{Action, Plan, Refusal, Step, Wish, carved::Carved, holds_for_others, usage::Usage};
use crate::{
    Inventory, Sysfs,
    inventory::{Function, Gpu},
};
use oriel_model::{GpuMode, PciAddress};

/// How long new devices may take to appear.
pub(crate) const APPEAR_MS: u64 = 60_000;

pub(crate) struct Draft<'a> {
    pub sysfs: &'a dyn Sysfs,
    pub inventory: &'a Inventory,
    pub gpu: &'a Gpu,
    pub wish: &'a Wish,
    pub carved: Carved,
    pub usage: Usage,
    pub steps: Vec<Step>,
    pub stops: Vec<String>,
    pub refused: Vec<Refusal>,
    pub needs_reboot: bool,
    pub needs_drain: bool,
    /// A driver that an earlier step unloads: nothing is bound to it after that.
    pub unloaded: Option<&'static str>,
}

/// An action as a shell would do it.
fn shell(action: &Action) -> String {
    match action {
        Action::Write { path, content } => {
            format!("echo {} > {path}", if content.trim().is_empty() { "" } else { content.trim() })
        }
        Action::Run { argv } => argv.join(" "),
        Action::Wait { path, gone: false, .. } => format!("until ls -d {path} 2>/dev/null; do sleep 1; done"),
        Action::Wait { path, gone: true, .. } => format!("while ls -d {path} 2>/dev/null; do sleep 1; done"),
        Action::Save { path, content: None } => format!("rm -f {path}"),
        Action::Save { path, content: Some(content) } => format!("printf '{}' > {path}", content.replace('\n', "\\n")),
    }
}

pub(crate) fn write(path: impl Into<String>, content: impl Into<String>) -> Action {
    Action::Write { path: path.into(), content: content.into() }
}

pub(crate) fn run<const N: usize>(argv: [&str; N]) -> Action {
    Action::Run { argv: argv.iter().map(|word| (*word).to_owned()).collect() }
}

impl<'a> Draft<'a> {
    pub fn new(sysfs: &'a dyn Sysfs, inventory: &'a Inventory, gpu: &'a Gpu, wish: &'a Wish) -> Self {
        Self {
            sysfs,
            inventory,
            gpu,
            wish,
            carved: Carved::read(sysfs, gpu),
            usage: Usage::read(sysfs),
            steps: Vec::new(),
            stops: Vec::new(),
            refused: Vec::new(),
            needs_reboot: false,
            needs_drain: false,
            unloaded: None,
        }
    }

    pub fn step(&mut self, does: impl Into<String>, action: Action, undo: Option<Action>) {
        self.steps.push(Step {
            does: does.into(),
            command: shell(&action),
            undo: undo.as_ref().map(shell),
            action,
            undo_action: undo,
        });
    }

    pub fn wait(&mut self, does: impl Into<String>, path: impl Into<String>) {
        self.step(does, Action::Wait { path: path.into(), gone: false, limit_ms: APPEAR_MS }, None);
    }

    pub fn refuse(&mut self, code: &str, reason: impl Into<String>) {
        let refusal = Refusal { code: code.to_owned(), reason: reason.into() };
        if !self.refused.contains(&refusal) {
            self.refused.push(refusal);
        }
    }

    pub fn stop(&mut self, what: impl Into<String>) {
        let what = what.into();
        if !self.stops.contains(&what) {
            self.stops.push(what);
        }
    }

    /// Whether nobody holds a device; refuses the plan when somebody does.
    pub fn idle(&mut self, path: &str, what: &str) -> bool {
        let known = self.gpu.slices.iter().any(|slice| slice.in_use && slice.name == what);
        let who = self.usage.device(self.sysfs, path).or_else(|| known.then(|| "a process".to_owned()));
        let Some(who) = who else { return true };
        self.needs_drain = true;
        self.refuse("in-use", format!("{what} is in use by {who}; stop the desktop that holds it, then ask again"));
        false
    }

    /// The GPU's PCI address; refuses the plan when it has none.
    pub fn pci(&mut self) -> Option<PciAddress> {
        let address = self.gpu.address.pci();
        if address.is_none() {
            self.refuse(
                "no-pci",
                format!(
                    "{} is no PCI device: it can only be sliced (`vgpu`), shared (`shared`) or left to the host (`host`)",
                    self.gpu.address
                ),
            );
        }
        address
    }

    /// The functions of the slot, its own first; for what is no PCI device, none.
    pub fn slot(&self) -> Vec<Function> {
        self.gpu.functions.clone()
    }

    /// The driver that a function has now.
    pub fn driver(&self, address: PciAddress) -> Option<String> {
        let driver = self.sysfs.link_name(&format!("{}/{address}/driver", super::DEVICES))?;
        (self.unloaded != Some(driver.as_str())).then_some(driver)
    }

    /// The only driver that may bind, if one is named.
    pub fn only(&self, address: PciAddress) -> Option<String> {
        let text = self.sysfs.text(&format!("{}/{address}/driver_override", super::DEVICES))?;
        (!text.is_empty() && text != "(null)").then_some(text)
    }

    /// Whether VFIO or a stub holds the GPU itself.
    pub fn is_handed_out(&self) -> bool {
        let driver = self.gpu.address.pci().and_then(|address| self.driver(address));
        driver.is_some_and(|driver| holds_for_others(&driver))
    }

    pub fn is_nvidia(&self) -> bool {
        self.gpu.vendor_id == "10de"
    }

    pub fn finish(mut self, to: GpuMode) -> Plan {
        if !self.refused.is_empty() {
            self.steps.clear();
            self.stops.clear();
            self.needs_reboot = false;
        }
        let card = match (self.gpu.vendor_id.as_str(), self.gpu.device_id.as_str()) {
            ("", _) | (_, "") => String::new(),
            (vendor, device) => format!("{vendor}:{device}"),
        };
        Plan {
            gpu: self.gpu.address.clone(),
            from: self.gpu.mode,
            to,
            profile: self.wish.profile.clone(),
            count: self.wish.count,
            mixed: self.wish.mixed,
            force: self.wish.force,
            card,
            steps: self.steps,
            stops: self.stops,
            needs_reboot: self.needs_reboot,
            needs_drain: self.needs_drain,
            refused: self.refused,
        }
    }
}
