"""Tests of reading CT files into a volume in HU."""

import shutil
import subprocess
import tarfile
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_rescale
from pydicom.pixels.encoders import RLELosslessEncoder
from pydicom.uid import (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from segmentation.ct import read_ct_series
from segmentation.ct_header import parse_slice_header, read_headers
from segmentation.errors import SeriesError
from segmentation.series_check import check_series

DATA = Path(__file__).parents[4] / "shared" / "data"
SHAPE = (7, 9)  # odd on purpose


UNNEEDED = {
    "SpecificCharacterSet": "ISO_IR 100",
    "ReferringPhysicianName": "CANARY",
    "PatientSex": "O",
    "RescaleType": "HU",
}


def stored_pixels(seed, lowest=0, highest=4095, shape=SHAPE):
    return np.random.default_rng(seed).integers(lowest, highest, shape, endpoint=True).astype("<i4")


def slice_dataset(index, pixels, *, signed=False, bits_stored=12, **changes):
    ds = Dataset()
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    ds.SOPInstanceUID = f"1.2.3.{index}"
    ds.SeriesInstanceUID, ds.StudyInstanceUID, ds.FrameOfReferenceUID = "1.2.4", "1.2.5", "1.2.6"
    ds.PatientID, ds.PatientName, ds.Modality = "CANARY", "CANARY^A", "CT"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.InstanceNumber = 100 - index  # against the positions, on purpose
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [-4.5, -3.5, 3.0 * index], [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing, ds.Rows, ds.Columns = [1.5, 0.5], *pixels.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, bits_stored, bits_stored - 1
    ds.PixelRepresentation, ds.RescaleSlope, ds.RescaleIntercept = int(signed), 1, -1024
    ds["PixelData"] = pydicom.DataElement("PixelData", "OW", pixels.astype("<i2" if signed else "<u2").tobytes())
    if len(ds.PixelData) % 2:
        ds.PixelData += b"\0"
    for keyword, value in changes.items():
        setattr(ds, keyword, value)
    return ds


def save(ds, path, syntax=ExplicitVRLittleEndian):
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    ds.save_as(path, enforce_file_format=True, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=True)
    return path


def save_series(folder, count=3, syntax=ExplicitVRLittleEndian, **changes):
    """Write slices whose names, numbers and places are all in different orders."""
    return [
        save(slice_dataset(index, stored_pixels(index), **changes), folder / f"{(index * 7) % 10}.dcm", syntax)
        for index in range(count)
    ]


def spoil_vr(path, keyword, vr=b"ZZ"):
    """Write two letters over the VR of an element of a file in explicit VR; of a tag that is there once."""
    tag = pydicom.tag.Tag(keyword)
    begins = tag.group.to_bytes(2, "little") + tag.element.to_bytes(2, "little")
    before, after = path.read_bytes().split(begins + pydicom.datadict.dictionary_VR(tag).encode())
    path.write_bytes(before + begins + vr + after)


def save_one(folder, pixels, **changes):
    return [save(slice_dataset(0, pixels, **changes), folder / "0.dcm")]


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_slices_are_in_the_order_of_their_places(tmp_path, syntax):
    """Neither the order of the files nor the instance numbers decide, but the positions."""
    paths = save_series(tmp_path, syntax=syntax)

    series = read_ct_series([paths[1], paths[2], paths[0]])

    assert series.volume.grid.positions_mm.tolist() == [0.0, 3.0, 6.0]
    assert [str(ds.SOPInstanceUID) for ds in series.headers] == ["1.2.3.0", "1.2.3.1", "1.2.3.2"]
    np.testing.assert_array_equal(series.volume.hu, [stored_pixels(index) - 1024 for index in range(3)])
    assert series.volume.hu.dtype == np.int16


def test_the_grid_is_that_of_the_header(tmp_path):
    """Pixel Spacing's first value lies between rows, its second between columns."""
    grid = read_ct_series(save_series(tmp_path)).volume.grid

    assert (grid.row_spacing_mm, grid.column_spacing_mm, grid.shape) == (1.5, 0.5, (3, 7, 9))
    np.testing.assert_array_equal(grid.to_patient(1, np.array([[2.0, 4.0]])), [[-2.5, -0.5, 3.0]])


def test_headers_have_no_pixels(tmp_path):
    """Headers are read up to the pixel data, in the order of the paths."""
    headers = read_headers(save_series(tmp_path))

    assert [ds.InstanceNumber for ds in headers] == [100, 99, 98]
    assert not any("PixelData" in ds for ds in headers)


def test_each_slice_has_its_own_calibration(tmp_path):
    """Slope and intercept may differ from slice to slice."""
    one = save(slice_dataset(0, stored_pixels(0)), tmp_path / "0.dcm")
    other = save(slice_dataset(1, stored_pixels(1), RescaleSlope=2, RescaleIntercept=-8192), tmp_path / "1.dcm")

    hu = read_ct_series([one, other]).volume.hu

    np.testing.assert_array_equal(hu, [stored_pixels(0) - 1024, stored_pixels(1) * 2 - 8192])
    assert hu.dtype == np.int16


def test_a_broken_slope_makes_float32(tmp_path):
    """HU that int16 cannot hold exactly are float32."""
    hu = read_ct_series(
        save_one(tmp_path, stored_pixels(0), RescaleSlope="2.0002442", RescaleIntercept=-4047)
    ).volume.hu

    np.testing.assert_allclose(hu[0], stored_pixels(0) * 2.0002442 - 4047, atol=1e-3)
    assert hu.dtype == np.float32


def test_hu_beyond_int16_are_float32(tmp_path):
    """Sixteen bits stored and a small intercept reach beyond int16; nothing wraps."""
    pixels = stored_pixels(0, 60000, 65535)

    hu = read_ct_series(save_one(tmp_path, pixels, bits_stored=16)).volume.hu

    np.testing.assert_array_equal(hu[0], pixels - 1024)


@pytest.mark.parametrize("bits_stored", [12, 16])
def test_signed_pixels_keep_their_sign(tmp_path, bits_stored):
    """Two's complement is of the bits stored; what stands above them is dropped."""
    half = 2 ** (bits_stored - 1)
    values = stored_pixels(0, -half, half - 1)
    overlay = 0x5000 if bits_stored == 12 else 0
    raw = (values & (2**bits_stored - 1)) | overlay

    hu = read_ct_series(
        save_one(tmp_path, raw.astype("<u2").astype("<i2"), bits_stored=bits_stored, signed=True, RescaleIntercept=0)
    ).volume.hu

    np.testing.assert_array_equal(hu[0], values)


@pytest.mark.parametrize(
    ("signed", "padding"),
    [(True, {"PixelPaddingValue": -2000}), (False, {"PixelPaddingValue": 0})],
    ids=["signed", "not"],
)
def test_padding_is_air(tmp_path, signed, padding):
    """Pixels outside the scanned field are air, whatever value stands for them."""
    pixels = stored_pixels(0, 1, 2000)
    pixels[0] = padding["PixelPaddingValue"]

    hu = read_ct_series(
        save_one(tmp_path, pixels, signed=signed, bits_stored=16, RescaleIntercept=-8192, **padding)
    ).volume.hu

    assert (hu[0, 0] == -1024).all()
    np.testing.assert_array_equal(hu[0, 1:], pixels[1:] - 8192)


def test_a_range_of_padding_is_air(tmp_path):
    """Pixel Padding Range Limit makes a range of the padding value."""
    pixels = stored_pixels(0, 500, 2000)
    pixels[0] = [0, 1, 2, 3, 4, 5, 6, 7, 499]

    hu = read_ct_series(save_one(tmp_path, pixels, PixelPaddingValue=0, PixelPaddingRangeLimit=7)).volume.hu

    assert hu[0, 0].tolist() == [-1024] * 8 + [499 - 1024]


def compressed_frame(pixels, syntax):
    """Compress with imagecodecs where it can, RLE with pydicom."""
    encoders = {
        JPEGLossless: lambda frame: imagecodecs.ljpeg_encode(frame, bitspersample=12),
        JPEGLosslessSV1: lambda frame: imagecodecs.ljpeg_encode(frame, bitspersample=12),
        JPEGLSLossless: imagecodecs.jpegls_encode,
        JPEG2000Lossless: lambda frame: imagecodecs.jpeg2k_encode(frame, codecformat="j2k", reversible=True, level=0),
        RLELossless: lambda frame: RLELosslessEncoder.encode(
            frame, rows=frame.shape[0], columns=frame.shape[1], samples_per_pixel=1, bits_allocated=16, bits_stored=12,
            pixel_representation=0, number_of_frames=1, photometric_interpretation="MONOCHROME2",
        ),
    }  # fmt: skip
    return encoders[syntax](pixels.astype("<u2"))


COMPRESSED = [JPEGLossless, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless, RLELossless]


def save_compressed(path, pixels, syntax):
    ds = slice_dataset(0, pixels)
    ds["PixelData"] = pydicom.DataElement("PixelData", "OB", encapsulate([compressed_frame(pixels, syntax)]))
    ds["PixelData"].is_undefined_length = True
    return save(ds, path, syntax)


@pytest.mark.parametrize("syntax", COMPRESSED, ids=lambda syntax: syntax.name)
def test_lossless_syntaxes_give_the_same_pixels(tmp_path, syntax):
    """Each lossless transfer syntax that the node accepts is decoded bit for bit."""
    pixels = stored_pixels(0, shape=(64, 48))

    hu = read_ct_series([save_compressed(tmp_path / "0.dcm", pixels, syntax)]).volume.hu

    np.testing.assert_array_equal(hu[0], pixels - 1024)


@pytest.mark.parametrize("syntax", COMPRESSED, ids=lambda syntax: syntax.name)
@pytest.mark.parametrize("kept", [0.01, 0.3, 0.9])
def test_cut_off_compressed_pixels_are_told(tmp_path, syntax, kept):
    """A frame that ends early is an error in words."""
    pixels = stored_pixels(0, shape=(64, 48))
    path = save_compressed(tmp_path / "0.dcm", pixels, syntax)
    ds = pydicom.dcmread(path)
    frame = compressed_frame(pixels, syntax)
    ds.PixelData = encapsulate([frame[: int(len(frame) * kept)]])
    ds.save_as(path)

    with pytest.raises(SeriesError, match="slice 1 of 1, counted from the feet: the compressed pixel data"):
        read_ct_series([path])


def test_a_frame_of_another_size_is_refused(tmp_path):
    """A codestream that holds more than Rows and Columns declare is not fitted in."""
    path = save_compressed(tmp_path / "0.dcm", stored_pixels(0, shape=(64, 48)), JPEGLSLossless)
    ds = pydicom.dcmread(path)
    ds.Rows = 32
    ds.save_as(path)

    with pytest.raises(SeriesError, match="are 64 x 48 x 1 where 32 x 48 x 1 are declared"):
        read_ct_series([path])


@pytest.mark.parametrize("length", [0, 64, 124, 128])
def test_pixel_data_of_another_length_are_refused(tmp_path, length):
    """Rows times Columns must be what is there, before anything is allocated from it."""
    path = save_one(tmp_path, stored_pixels(0), PixelData=bytes(length))

    with pytest.raises(SeriesError, match=f"have {length} bytes where 7 x 9 pixels need 126"):
        read_ct_series(path)


def test_absent_and_cut_off_pixel_data_are_told(tmp_path):
    """A file without pixels, and one that ends within them, are errors in words."""
    ds = slice_dataset(0, stored_pixels(0))
    whole = save(ds, tmp_path / "whole.dcm")
    (tmp_path / "cut.dcm").write_bytes(whole.read_bytes()[:-20])
    del ds.PixelData
    save(ds, tmp_path / "none.dcm")

    with pytest.raises(SeriesError, match="there is no pixel data"):
        read_ct_series([tmp_path / "none.dcm"])
    with pytest.raises(SeriesError, match="cut off"):
        read_ct_series([tmp_path / "cut.dcm"])


def test_all_reasons_are_raised_together(tmp_path):
    """A volume that is impossible for several reasons names each of them, and no identity."""
    paths = [*save_series(tmp_path, 2), *save_one(tmp_path, stored_pixels(0, shape=(4, 4)), PatientID="OTHER")]

    with pytest.raises(SeriesError) as raised:
        read_ct_series([*paths, paths[1]])

    assert len(raised.value.reasons) == 4  # patient, matrix, SOP Instance UID, place
    assert "CANARY" not in str(raised.value)


def test_a_file_that_is_not_dicom_is_told(tmp_path):
    """Any other file is an error in words."""
    path = tmp_path / "notes.txt"
    path.write_text("not DICOM")

    with pytest.raises(SeriesError, match="not DICOM"):
        read_headers([path])


@pytest.mark.parametrize("keyword", UNNEEDED)
@pytest.mark.parametrize("read", [read_headers, read_ct_series])
def test_a_vr_that_is_none_is_told_by_the_place_of_its_file(tmp_path, keyword, read):
    """Two letters that are no VR leave a length unsure, needed or not: the file is named, not its patient."""
    paths = save_series(tmp_path, **UNNEEDED)
    spoil_vr(paths[1], keyword)

    with pytest.raises(SeriesError) as raised:
        read(paths)

    assert str(raised.value).startswith("file 2 of 3 has an element of an unknown value representation")


def test_malformed_values_become_reasons():
    """Values that cannot be read are absent values, not exceptions."""
    ds = Dataset()
    ds.Modality = "CT"
    ds.ImagePositionPatient = [1, 2]
    ds.RescaleSlope = 0
    raw = pydicom.dataelem.RawDataElement(pydicom.tag.Tag("PixelSpacing"), "DS", 6, b"one\\1 ", 0, False, True)
    ds._dict[raw.tag] = raw

    header = parse_slice_header(ds)

    assert (header.image_position, header.rescale, header.pixel_spacing, header.patient_name) == (None, None, None, "")


@pytest.mark.parametrize(("vr", "value"), [("US", b"\0"), ("US", b""), ("U\0", None)])
def test_a_number_that_is_none_is_absent(vr, value):
    """Bytes of the wrong length, no bytes, or a VR that does not exist: found by the fuzzer, and no value."""
    ds = Dataset()
    tag = pydicom.tag.Tag("BitsAllocated")
    ds._dict[tag] = pydicom.dataelem.RawDataElement(tag, vr, len(value or b""), value, 0, False, True)

    assert parse_slice_header(ds).pixel_format.bits_allocated is None


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
@pytest.mark.parametrize("keyword", ["SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID"])
def test_a_uid_that_is_none_holds_the_series(tmp_path, keyword):
    """What no structure set can refer by is told before anything is drawn, and not when it is written."""
    path = save(slice_dataset(0, stored_pixels(0), **{keyword: "1.2.77.8"}), tmp_path / "0.dcm")
    path.write_bytes(path.read_bytes().replace(b"1.2.77.8", b"1.2.\xff7.8"))

    reasons = check_series([parse_slice_header(ds) for ds in read_headers([path])], minimum_slices=1)

    assert {reason.code for reason in reasons} == {
        "no-frame-of-reference" if keyword == "FrameOfReferenceUID" else "no-uid"
    }


def real_files(folder):
    files = [path for path in sorted((DATA / folder).rglob("*")) if path.is_file()]
    if not files:
        pytest.skip(f"the public data {folder} are not beside the checkout")
    headers = [(path, pydicom.dcmread(path, stop_before_pixels=True)) for path in files if pydicom.misc.is_dicom(path)]
    return [path for path, ds in headers if ds.get("Modality") in {"CT", "MR"}]


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("folder", "codes"),
    [
        ("gantrytilting", {"gantry-tilt"}),
        ("notavolume", {"duplicate-position"}),
        ("sliceincrement/001", {"secondary-image", "missing-slice"}),
        ("sliceincrement/002", {"gantry-tilt", "missing-slice"}),
        ("slicecount", {"not-ct", "no-rescale", "not-axial"}),
        ("sliceorientation", {"not-ct", "no-rescale", "not-axial", "mixed-orientation", "mixed-pixel-spacing"}),
    ],
)
def test_awkward_series_are_held_for_what_is_wrong(folder, codes):
    """Real series that are known to make no volume are held for the right reason."""
    paths = real_files(f"awkward_ct/missing_tilted_duplicate/failing/{folder}")

    reasons = check_series([parse_slice_header(ds) for ds in read_headers(paths)], minimum_slices=1)

    assert {reason.code for reason in reasons} == codes | {"no-frame-of-reference"}


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("693_J2KR.dcm", "693_UNCR.dcm"),
        ("*.4.70.dcm", "CTImage*1.2.1.dcm"),
        ("*.4.80.dcm", "CTImage*1.2.1.dcm"),
    ],
)
def test_real_compressed_slices_equal_the_uncompressed(one, other):
    """What other software compressed decodes to the pixels that it compressed."""
    paths = real_files("awkward_ct/compressed")

    volumes = [read_ct_series([path for path in paths if path.match(name)]).volume for name in (one, other)]

    np.testing.assert_array_equal(volumes[0].hu, volumes[1].hu)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("*.4.51.dcm", {"lossy", "transfer-syntax", "derived-image"}),
        ("*.4.91.dcm", {"lossy", "derived-image"}),  # PS3.3 C.7.6.1.1.5: lossy makes it DERIVED
        (
            "eCT_Supplemental.dcm",
            {"multi-frame", "no-rescale", "no-position", "no-orientation", "no-pixel-spacing", "derived-image"},
        ),
    ],
)
def test_lossy_and_enhanced_files_are_held(name, codes):
    """Real files in syntaxes and classes that are not contoured are held for that."""
    paths = [path for path in real_files("awkward_ct/compressed") if path.match(name)]

    reasons = check_series([parse_slice_header(ds) for ds in read_headers(paths)], minimum_slices=1)

    assert {reason.code for reason in reasons} == codes


@pytest.mark.real_data
@pytest.mark.parametrize("folder", ["eclipse_aria_16.1_visible_human", "approved_breast", "raystation_9.2_rando_head"])
def test_planning_slices_of_three_systems_read_as_pydicom_reads_them(folder):
    """Slices that planning systems exported have the HU that pydicom's own rescaling gives."""
    paths = real_files(f"structure_sets/{folder}")

    series = read_ct_series(paths)

    slices = [pydicom.dcmread(path) for path in paths]
    slices.sort(key=lambda ds: ds.ImagePositionPatient[2])
    np.testing.assert_array_equal(series.volume.hu, [apply_rescale(ds.pixel_array, ds) for ds in slices])


@pytest.mark.real_data
def test_the_siemens_series_is_contoured_once_it_has_identities():
    """A series with empty UIDs and Patient ID is held for these, and for nothing once they are filled."""
    datasets = [pydicom.dcmread(path) for path in real_files("awkward_ct/siemens_mct_j2k_20slices")]
    before = check_series([parse_slice_header(ds) for ds in datasets], minimum_slices=20)
    for ds in datasets:
        ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", generate_uid()
        ds.PatientID, ds.StudyInstanceUID, ds.SeriesInstanceUID = "A", "1.2.5", "1.2.4"

    after = check_series([parse_slice_header(ds) for ds in datasets], minimum_slices=20)

    assert {reason.code for reason in before} == {"no-patient-id", "no-uid"}
    assert not after


@pytest.fixture(scope="session")
def head_and_neck(tmp_path_factory):
    archive = DATA / "head_neck_ct" / "picker_pq2000_90_slices.tar.xz"
    if not archive.exists():
        pytest.skip("the public data head_neck_ct are not beside the checkout")
    folder = tmp_path_factory.mktemp("head_neck")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return sorted(folder.rglob("*.dcm"))


@pytest.mark.real_data
def test_a_real_head_and_neck_ct_is_read(head_and_neck):
    """The planning CT has nothing against it, and reads as pydicom reads it."""
    series = read_ct_series(head_and_neck)

    assert not check_series([parse_slice_header(ds) for ds in series.headers], minimum_slices=20)
    assert series.volume.hu.shape == (90, 511, 511)
    slices = sorted(map(pydicom.dcmread, head_and_neck), key=lambda ds: ds.ImagePositionPatient[2])
    np.testing.assert_array_equal(series.volume.hu, [ds.pixel_array.astype(np.int16) - 1024 for ds in slices])


@pytest.mark.real_data
@pytest.mark.peer
@pytest.mark.parametrize(
    "command",
    [
        ["dcmcjpeg", "+e1"],
        ["dcmcjpeg", "+el"],  # .57, with a predictor other than the first
        ["dcmcjpls"],
        ["dcmcrle"],
    ],
    ids=["SV1", "lossless", "JPEG-LS", "RLE"],
)
def test_slices_compressed_by_dcmtk_equal_the_original(head_and_neck, tmp_path, command):
    """What dcmtk compresses without loss is decoded to the same HU."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} of dcmtk is not installed")
    originals = head_and_neck[30:34]

    for path in originals:
        subprocess.run([*command, path, tmp_path / path.name], check=True, capture_output=True)

    compressed = read_ct_series([tmp_path / path.name for path in originals])
    assert all(ds.file_meta.TransferSyntaxUID.is_compressed for ds in compressed.headers)
    np.testing.assert_array_equal(compressed.volume.hu, read_ct_series(originals).volume.hu)
