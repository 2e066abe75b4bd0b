//! Arguments of `ffmpeg` for the encoders that the tests use; groups are of [`GROUP`] frames.

pub(super) const GROUP: u32 = 24;

pub(super) const H264: &[&str] = &[
    "-c:v",
    "libx264",
    "-preset",
    "veryfast",
    "-bf",
    "3",
    "-g",
    "24",
    "-keyint_min",
    "24",
    "-sc_threshold",
    "0",
    "-pix_fmt",
    "yuv420p",
];
pub(super) const OPEN_GROUPS: &[&str] = &[
    "-c:v",
    "libx264",
    "-preset",
    "veryfast",
    "-pix_fmt",
    "yuv420p",
    "-x264-params",
    "open-gop=1:keyint=24:min-keyint=24:scenecut=0:bframes=3:b-adapt=0",
];
pub(super) const REFRESH: &[&str] = &[
    "-c:v",
    "libx264",
    "-preset",
    "veryfast",
    "-pix_fmt",
    "yuv420p",
    "-x264-params",
    "intra-refresh=1:keyint=24:bframes=0",
];
pub(super) const HEVC: &[&str] = &[
    "-c:v",
    "libx265",
    "-preset",
    "ultrafast",
    "-pix_fmt",
    "yuv420p",
    "-tag:v",
    "hvc1",
    "-x265-params",
    "log-level=error:keyint=24:min-keyint=24:scenecut=0:bframes=3",
];
pub(super) const VP9: &[&str] = &[
    "-c:v",
    "libvpx-vp9",
    "-deadline",
    "good",
    "-cpu-used",
    "5",
    "-g",
    "24",
    "-b:v",
    "500k",
    "-auto-alt-ref",
    "1",
    "-lag-in-frames",
    "16",
];
pub(super) const VP8: &[&str] = &[
    "-c:v",
    "libvpx",
    "-deadline",
    "good",
    "-cpu-used",
    "5",
    "-g",
    "24",
    "-b:v",
    "500k",
    "-auto-alt-ref",
    "1",
    "-lag-in-frames",
    "16",
];
pub(super) const AV1: &[&str] = &[
    "-c:v",
    "libsvtav1",
    "-preset",
    "12",
    "-g",
    "24",
    "-pix_fmt",
    "yuv420p",
];
pub(super) const MPEG4: &[&str] = &["-c:v", "mpeg4", "-bf", "2", "-g", "24", "-q:v", "4"];
pub(super) const MPEG2: &[&str] = &["-c:v", "mpeg2video", "-bf", "2", "-g", "24", "-q:v", "4"];
