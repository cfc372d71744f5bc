"""Reads structure sets with platipy, step by step as its `convert_rtstruct` does."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import SimpleITK
from exchange import Masks, serve
from platipy.dicom.io import rtstruct_to_nifti as platipy
from pydicom import dcmread


@dataclass(frozen=True)
class Ct:
    """An image and where its files are."""

    image: Any
    folder: Path


def load(ct: Path) -> Ct:
    return Ct(platipy.read_dicom_image(ct), ct)


def uids(ct: Ct) -> list[str]:
    files = SimpleITK.ImageSeriesReader().GetGDCMSeriesFileNames(str(ct.folder))
    return [str(dcmread(file, stop_before_pixels=True).SOPInstanceUID) for file in files]


def read(structure_set: Path, ct: Ct) -> Masks:
    ds = platipy.read_dicom_struct_file(structure_set)
    images, names = platipy.transform_point_set_from_dicom_struct(ct.image, ds)
    return {name: SimpleITK.GetArrayFromImage(image) for name, image in zip(names, images, strict=True)}


serve(load=load, uids=uids, read=read)
