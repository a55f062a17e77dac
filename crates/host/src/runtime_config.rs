//! Spin's runtime configuration file: the part of it that this runtime understands. Other sections are ignored.
use crate::blocked_networks::BlockedNetworks;
use serde::Deserialize;
use std::path::Path;
use wasmtime::Result;
use wasmtime::error::Context as _;

/// One file.
#[derive(Debug, Default, Deserialize)]
pub struct RuntimeConfig {
    #[serde(default)]
    outbound_networking: OutboundNetworking,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct OutboundNetworking {
    /// `private` and networks in CIDR form.
    #[serde(default)]
    block_networks: Vec<String>,
}

impl RuntimeConfig {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read or holds something else.
    pub fn load(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("cannot understand {}", path.display()))
    }

    /// Networks that no request may reach.
    ///
    /// # Errors
    /// When one of them is no network.
    pub fn blocked_networks(&self) -> Result<BlockedNetworks> {
        self.outbound_networking.block_networks.join(",").parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(text: &str, address: &str) -> Result<bool> {
        let config: RuntimeConfig = toml::from_str(text)?;
        Ok(config.blocked_networks()?.contains(address.parse()?))
    }

    #[test]
    fn the_section_of_blocked_networks_is_read() {
        let text = "[sqlite_database.default]\ntype = \"spin\"\n[outbound_networking]\nblock_networks = [\"private\", \"8.8.8.0/24\"]";
        assert!(blocks(text, "127.0.0.1").unwrap());
        assert!(blocks(text, "8.8.8.8").unwrap());
        assert!(!blocks(text, "1.1.1.1").unwrap());
        assert!(!blocks("", "127.0.0.1").unwrap());
        assert!(!blocks("[outbound_networking]", "127.0.0.1").unwrap());
        assert!(blocks("[outbound_networking]\nblocked_networks = []", "127.0.0.1").is_err());
        assert!(blocks("[outbound_networking]\nblock_networks = [\"nonsense\"]", "127.0.0.1").is_err());
    }

    #[test]
    fn the_file_of_the_repository_can_be_read() {
        let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap();
        let file = Path::new(&package).join("../../runtime-config.toml");
        let blocked = RuntimeConfig::load(&file).unwrap().blocked_networks().unwrap();
        for address in ["127.0.0.1", "::1", "10.0.0.1", "224.0.0.1", "192.88.99.1", "64:ff9b::a00:1"] {
            assert!(blocked.contains(address.parse().unwrap()), "{address}");
        }
        assert!(!blocked.contains("8.8.8.8".parse().unwrap()));
        assert!(!blocked.contains("2606:4700::1111".parse().unwrap()));
    }
}
