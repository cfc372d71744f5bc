"""Reads and writes structure sets with DicomRTTool, as its README shows; its ROI names are lower case."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
from DicomRTTool.ReaderWriter import DicomReaderWriter
from exchange import Masks, serve
from pydicom import dcmread


def load(ct: Path) -> DicomReaderWriter:
    reader = DicomReaderWriter(arg_max=False, verbose=False)
    reader.walk_through_folders(str(ct), thread_count=1)
    reader.get_images()
    return reader


def uids(reader: DicomReaderWriter) -> list[str]:
    files = reader.reader.GetFileNames()
    return [str(dcmread(file, stop_before_pixels=True).SOPInstanceUID) for file in files]


def read(structure_set: Path, reader: DicomReaderWriter) -> Masks:
    names = [str(roi.ROIName) for roi in dcmread(structure_set).StructureSetROISequence]
    with tempfile.TemporaryDirectory() as folder:  # it looks for structure sets in folders
        shutil.copy(structure_set, folder)
        reader.walk_through_folders(folder, thread_count=1)
        reader.set_contour_names_and_associations(contour_names=names)
        reader.get_mask()
    return {name: np.asarray(reader.mask[..., place]) for place, name in enumerate(names, start=1)}


def write(masks: Masks, reader: DicomReaderWriter, out: Path) -> None:
    layers = [np.zeros_like(next(iter(masks.values()))), *masks.values()]
    with tempfile.TemporaryDirectory() as folder:
        reader.prediction_array_to_RT(np.stack(layers, axis=-1).astype(np.int8), folder, list(masks))
        shutil.move(next(Path(folder).glob("*.dcm")), out)


serve(load=load, uids=uids, read=read, write=write)
