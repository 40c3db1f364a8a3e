//! What the contract promises and this version does not do yet.
//!
//! No key is accepted and then ignored: these are refused by name until they are built. Whoever builds one
//! takes it out of here and puts it into its section's table.

/// The keys, by section.
const KEYS: &[(&str, &[&str])] = &[("", &["cluster", "plugins"])];

/// The keys of a section that are in the contract but not built yet.
pub(crate) fn keys(section: &str) -> &'static [&'static str] {
    KEYS.iter()
        .find(|(name, _)| *name == section)
        .map_or(&[], |(_, keys)| keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SECTION;
    use crate::section::{Section, Shape};

    fn sections(section: &'static Section, into: &mut Vec<&'static Section>) {
        into.push(section);
        for key in section.keys {
            sections_of(&key.shape, into);
        }
    }

    fn sections_of(shape: &'static Shape, into: &mut Vec<&'static Section>) {
        match shape {
            Shape::Section(inner) | Shape::Named(inner, _) => sections(inner, into),
            Shape::List(inner, _) | Shape::Pairs(inner) => sections_of(inner, into),
            Shape::Either(inners) => inners.iter().for_each(|inner| sections_of(inner, into)),
            _ => {}
        }
    }

    #[test]
    fn every_entry_belongs_to_a_section_and_is_not_built() {
        let mut all = Vec::new();
        sections(&SECTION, &mut all);
        for (name, unbuilt) in KEYS {
            let section = all.iter().find(|section| section.name == *name);
            let section = section.unwrap_or_else(|| panic!("no section is named {name:?}"));
            for key in *unbuilt {
                assert!(
                    !section.keys.iter().any(|built| built.name == *key),
                    "{name}.{key} is built"
                );
            }
        }
    }
}
