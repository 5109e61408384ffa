//! Profile tables: what a vGPU board offers, once for all hosts that have it.

use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// Before the dash in names: `GRID M60`, `NVIDIA L40S`, or for GVT-g `GVTg_V5_`.
    pub prefix: String,
    pub framebuffer_mib: u64,
    pub rule: Rule,
    /// GVT-g: what a type takes is in its profile, what there is here.
    #[serde(default)]
    pub pool: [u32; 3],
    pub profiles: Vec<Profile>,
    #[expect(dead_code, reason = "for readers of the table")]
    pub source: String,
}

/// Which slices may share one GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    SameType,
    SameSize,
    Pool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Behind the dash, `2Q`.
    pub name: String,
    pub id: u32,
    pub fb: u64,
    pub max: u32,
    #[serde(default)]
    pub heads: u32,
    #[serde(default)]
    pub res: String,
    #[serde(default)]
    pub frl: u32,
    /// Slots of one instance, and where instances may lie when sizes are mixed.
    #[serde(default)]
    pub size: u32,
    #[serde(default)]
    pub mixed: Vec<u32>,
    /// GVT-g: low and high graphics memory in MiB, fence registers, weight.
    #[serde(default)]
    pub takes: [u32; 4],
    /// MIG-backed: how many on one GPU instance.
    #[serde(default)]
    pub per_instance: Option<u32>,
}

impl Board {
    pub fn read(name: &str) -> Self {
        let board: Self = super::read(&super::folder("descriptions/profiles").join(format!("{name}.toml")));
        for profile in &board.profiles {
            assert!(profile.fb <= board.framebuffer_mib, "{name}: {} is larger than the GPU", profile.name);
        }
        board
    }

    pub fn profile(&self, name: &str) -> &Profile {
        self.profiles.iter().find(|profile| profile.name == name).unwrap_or_else(|| panic!("no profile {name}"))
    }

    pub fn name(&self, profile: &Profile) -> String {
        format!("{}-{}", self.prefix, profile.name)
    }

    /// How many more of a profile the GPU could carry beside those that exist.
    pub fn free(&self, profile: &Profile, created: &[&Profile]) -> u32 {
        let used = created.len() as u32;
        match self.rule {
            Rule::SameType if created.iter().any(|one| one.name != profile.name) => 0,
            Rule::SameSize if created.iter().any(|one| one.fb != profile.fb) => 0,
            Rule::SameType | Rule::SameSize => profile.max.saturating_sub(used),
            Rule::Pool => (0..3)
                .map(|kind| {
                    let taken: u32 = created.iter().map(|one| one.takes[kind]).sum();
                    self.pool[kind].saturating_sub(taken) / profile.takes[kind].max(1)
                })
                .min()
                .unwrap_or(0),
        }
    }

    /// What could still be made of a profile: on a GPU that is cut into MIG instances only what is backed by them, otherwise only
    /// what is not.
    pub fn room(&self, profile: &Profile, created: &[&Profile], mig_instances: u32) -> bool {
        match (profile.per_instance, mig_instances) {
            (None, 0) => self.free(profile, created) > 0,
            (Some(each), instances @ 1..) => (created.len() as u32) < each * instances,
            _ => false,
        }
    }

    /// The placement IDs left for a profile when sizes are mixed: `created` are places with their profiles.
    pub fn placements(profile: &Profile, created: &[(u32, &Profile)]) -> Vec<u32> {
        let clear =
            |id: &u32| created.iter().all(|(other, one)| id + profile.size <= *other || *other + one.size <= *id);
        profile.mixed.iter().copied().filter(clear).collect()
    }
}

impl Profile {
    /// NVIDIA's class of the series: the letter behind the size.
    pub fn class(&self) -> &'static str {
        match self.series() {
            'Q' => "Quadro",
            'C' => "Compute",
            _ => "NVS",
        }
    }

    pub fn license(&self) -> &'static str {
        match self.series() {
            'Q' => "Quadro-Virtual-DWS,5.0;GRID-Virtual-WS,2.0;GRID-Virtual-WS-Ext,2.0",
            'B' => "GRID-Virtual-PC,2.0;Quadro-Virtual-DWS,5.0;GRID-Virtual-WS,2.0;GRID-Virtual-WS-Ext,2.0",
            'C' => "NVIDIA-Virtual-Compute-Server,9.0;Quadro-Virtual-DWS,5.0",
            _ => "GRID-Virtual-Apps,3.0",
        }
    }

    fn series(&self) -> char {
        self.name.chars().rev().find(char::is_ascii_alphabetic).unwrap_or('Q')
    }
}
