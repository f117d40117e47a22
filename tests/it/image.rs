//! The container image of a release, built and unpacked by buildah.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::release::{VERSION, executable, pack, program, root, run, succeeded};
use crate::support::{not_run, part};

/// The image for both processors, by a builder that needs no daemon and, with an
/// empty base, no registry.
#[test]
fn the_image_is_the_static_program_and_nobody_in_it_is_root() {
    let Some(buildah) = part("LKROUTE_TEST_BUILDAH") else {
        return not_run("buildah");
    };
    let dir = tempfile::tempdir().expect("a directory");
    let out = dir.path().to_str().expect("plain");
    // A small program will do; the real one makes the pages.
    let small = dir.path().join("lkroute");
    executable(&small, &format!("echo lkroute {VERSION}"));
    let small = small.to_str().expect("plain");
    for target in ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl"] {
        pack("archive.sh", &[small, target, out, program()]);
    }
    let conf = dir.path().join("storage.conf");
    let store =
        format!("[storage]\ndriver = \"vfs\"\ngraphroot = \"{out}/a\"\nrunroot = \"{out}/b\"\n");
    fs::write(&conf, store).expect("write it");
    let with_store = |program: &Path| {
        let mut command = Command::new(program);
        command.env("CONTAINERS_STORAGE_CONF", &conf);
        command.env("BUILDAH_ISOLATION", "chroot");
        command
    };
    let name = "ghcr.io/Owner/lkroute:1";
    let made = with_store(&root().join(".github/release/image.sh"))
        .args([
            out,
            name,
            "--manifest",
            "both",
            "--build-arg",
            "BASE=scratch",
        ])
        .env("BUILDER", format!("{} build", buildah.display()))
        .output();
    succeeded(made.expect("run it"));
    let images = with_store(&buildah).arg("images").output();
    let images = succeeded(images.expect("run it"));
    assert_contains!(images, "ghcr.io/owner/lkroute");
    let layout = dir.path().join("image");
    let to = format!("oci:{}:it", layout.display());
    let push = ["manifest", "push", "--quiet", "--all", "both", &to];
    succeeded(with_store(&buildah).args(push).output().expect("run it"));

    let blob = |value: &Value| {
        let digest = value["digest"].as_str().expect("a digest");
        layout.join("blobs").join(digest.replace(':', "/"))
    };
    let json = |path: &Path| -> Value {
        serde_json::from_slice(&fs::read(path).expect("it")).expect("JSON")
    };
    let index = json(&layout.join("index.json"));
    let both = json(&blob(&index["manifests"][0]));
    let mut processors = Vec::new();
    for image in both["manifests"].as_array().expect("images") {
        let image = json(&blob(image));
        let about = json(&blob(&image["config"]));
        processors.push(about["architecture"].as_str().expect("it").to_owned());
        let config = &about["config"];
        assert_eq!(config["User"], "65532:65532");
        assert_eq!(
            config["Entrypoint"],
            serde_json::json!(["/usr/local/bin/lkroute"])
        );
        assert_eq!(
            config["Labels"]["org.opencontainers.image.version"],
            VERSION
        );
        let unpacked = tempfile::tempdir().expect("a directory");
        for layer in image["layers"].as_array().expect("layers") {
            let layer = blob(layer);
            let layer = layer.to_str().expect("plain");
            run(
                Path::new("/bin/tar"),
                &["-xf", layer, "--no-same-owner"],
                unpacked.path(),
            );
        }
        let entries = walkdir::WalkDir::new(unpacked.path()).into_iter();
        let files = entries.map(|entry| entry.expect("an entry"));
        let files: Vec<_> = files.filter(|entry| entry.file_type().is_file()).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        let inside = unpacked.path().join("usr/local/bin/lkroute");
        let said = run(&inside, &["--version"], dir.path());
        assert_eq!(said.trim(), format!("lkroute {VERSION}"));
    }
    processors.sort();
    assert_eq!(processors, ["amd64", "arm64"]);
    let file = fs::read_to_string(root().join(".github/release/Dockerfile")).expect("it");
    assert_contains!(file, "BASE=gcr.io/distroless/static-debian12:nonroot\n");
}
