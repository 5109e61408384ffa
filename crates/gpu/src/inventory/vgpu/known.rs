//! What is known of one vGPU type, from whichever source: the driver's files, its catalogue, its tool, or Oriel's own tables.

use super::name::{self, Name};

/// Empty or zero where a source does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    /// `M60-2Q`.
    pub key: String,
    /// NVIDIA's number of the type in decimal digits; empty when unknown.
    pub number: String,
    pub framebuffer_mib: u64,
    pub max: u32,
    pub heads: u32,
    pub resolution: String,
    /// `Some(0)` is no limit.
    pub frame_rate_limit: Option<u32>,
    /// Slots that one takes, with the IDs where it may lie when all are of one size, and when sizes are mixed.
    pub size: u8,
    pub equal: Vec<u8>,
    pub mixed: Vec<u8>,
}

impl Known {
    /// What the name alone says.
    pub fn named(name: &str) -> Self {
        let key = name::key(name);
        let framebuffer_mib = name::parse(key).map_or(0, |name| name.framebuffer_mib);
        Self { key: key.to_owned(), framebuffer_mib, ..Self::default() }
    }

    pub fn name(&self) -> Option<Name<'_>> {
        name::parse(&self.key)
    }

    /// Takes over what `other` knows: it is nearer to the truth.
    pub fn learn(&mut self, other: &Self) {
        let number = |own: &mut u32, other: u32| {
            if other != 0 {
                *own = other;
            }
        };
        let list = |own: &mut Vec<u8>, other: &[u8]| {
            if !other.is_empty() {
                other.clone_into(own);
            }
        };
        let text = |own: &mut String, other: &str| {
            if !other.is_empty() {
                other.clone_into(own);
            }
        };
        text(&mut self.number, &other.number);
        text(&mut self.resolution, &other.resolution);
        number(&mut self.max, other.max);
        number(&mut self.heads, other.heads);
        list(&mut self.equal, &other.equal);
        list(&mut self.mixed, &other.mixed);
        if other.framebuffer_mib != 0 {
            self.framebuffer_mib = other.framebuffer_mib;
        }
        if other.size != 0 {
            self.size = other.size;
        }
        self.frame_rate_limit = other.frame_rate_limit.or(self.frame_rate_limit);
    }
}

/// A table with another's knowledge added: types that both have are merged, others appended.
pub(crate) fn merge(table: &mut Vec<Known>, others: &[Known]) {
    for other in others {
        match table.iter_mut().find(|one| one.key == other.key) {
            Some(one) => one.learn(other),
            None => table.push(other.clone()),
        }
    }
}

/// NVIDIA's `description`: `num_heads=4, frl_config=60, framebuffer=2048M, max_resolution=4096x2160, max_instance=4`.
pub(crate) fn described(description: &str) -> Known {
    let mut known = Known::default();
    for part in description.split([',', '\n']) {
        let Some((name, value)) = part.split_once('=') else { continue };
        let value = value.trim();
        match name.trim() {
            "num_heads" => known.heads = value.parse().unwrap_or(0),
            "frl_config" => known.frame_rate_limit = value.parse().ok(),
            "framebuffer" => known.framebuffer_mib = value.trim_end_matches('M').parse().unwrap_or(0),
            "max_resolution" => value.clone_into(&mut known.resolution),
            "max_instance" => known.max = value.parse().unwrap_or(0),
            _ => {}
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_read() {
        let known =
            described("num_heads=4, frl_config=60, framebuffer=2048M, max_resolution=4096x2160, max_instance=4");
        assert_eq!((known.heads, known.frame_rate_limit, known.framebuffer_mib, known.max), (4, Some(60), 2048, 4));
        assert_eq!(known.resolution, "4096x2160");
        assert_eq!(described("free text = without\nsense=1, =, max_instance=x"), Known::default());
    }
}
