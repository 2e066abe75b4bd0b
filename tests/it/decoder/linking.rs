//! Only the child links FFmpeg.

use std::process::Command;

fn libraries(program: &str) -> String {
    let output = Command::new("ldd").arg(program).output().unwrap();
    assert!(output.status.success(), "ldd {program}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_child_links_ffmpeg_and_the_server_does_not() {
    for library in ["libavcodec", "libavformat", "libavutil", "libswscale"] {
        assert!(libraries(env!("CARGO_BIN_EXE_jaga-decoder")).contains(library));
        assert!(!libraries(env!("CARGO_BIN_EXE_jaga")).contains(library));
    }
}

#[test]
fn devices_and_filters_are_not_linked() {
    let child = libraries(env!("CARGO_BIN_EXE_jaga-decoder"));
    for library in ["libavdevice", "libavfilter"] {
        assert!(!child.contains(library), "{library}");
    }
}
