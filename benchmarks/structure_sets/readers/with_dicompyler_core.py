"""Reads structure sets with dicompyler-core: its parser, and the masks of its dose-volume histograms."""

from pathlib import Path

import numpy as np
from dicompylercore.dicomparser import DicomParser
from dicompylercore.dvhcalc import get_contour_mask
from exchange import Masks, serve


def load(ct: Path) -> list[DicomParser]:
    return [DicomParser(str(path)) for path in sorted(ct.iterdir())]


def uids(slices: list[DicomParser]) -> list[str]:
    return [str(each.ds.SOPInstanceUID) for each in slices]


def read(structure_set: Path, slices: list[DicomParser]) -> Masks:
    parser = DicomParser(str(structure_set))
    # The key under which GetStructureCoordinates files a plane.
    index_of = {str(round(each.ds.ImagePositionPatient[2], 2)) + "0": index for index, each in enumerate(slices)}
    lut = slices[0].GetPatientToPixelLUT()
    x, y = np.meshgrid(*map(np.array, lut))
    points = np.column_stack((x.ravel(), y.ravel()))
    where = {"lut": lut, "x_lut_index": slices[0].x_lut_index()}
    masks = {}
    for number, structure in parser.GetStructures().items():
        mask = np.zeros((len(slices), len(lut[1]), len(lut[0])), dtype=bool)
        for z, plane in parser.GetStructureCoordinates(number).items():
            for contour in plane:  # as in dvhcalc.calculate_plane_histogram
                outline = [point[:2] for point in contour["data"]]
                mask[index_of[z]] ^= get_contour_mask(where, number, points, outline)
        masks[structure["name"]] = mask
    return masks


serve(load=load, uids=uids, read=read)
