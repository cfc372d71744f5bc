"""The words by which departments name the twelve organs, and those that say that a ROI is not the organ itself (pure).

Names of English usage follow AAPM TG-263 (Mayo et al. 2018) and what treatment planning systems' templates use. Words
are folded: lower case, without accents. Their order does not matter, nor whether they are written as one.
"""

from typing import Final, Literal, get_args

from segmentation.structures import Laterality

Language = Literal["en", "fr", "de", "es", "zh"]
ALL: Final[frozenset[Language]] = frozenset(get_args(Language))

MIDLINE: dict[str, dict[Language, tuple[str, ...]]] = {
    "Brainstem": {
        "en": ("brainstem", "brain stem", "b stem"),
        "fr": ("tronc cerebral", "tronc"),
        "de": ("hirnstamm", "stammhirn"),
        "es": ("tronco cerebral", "tronco encefalico", "tronco encefalo", "tronco", "tallo cerebral"),
        "zh": ("脑干", "腦幹"),
    },
    "SpinalCord": {
        "en": ("spinal cord", "cord", "sp cord"),
        "fr": ("moelle", "moelle epiniere"),
        "de": ("ruckenmark", "rueckenmark", "myelon"),
        "es": ("medula", "medula espinal"),
        "zh": ("脊髓",),
    },
    "Bone_Mandible": {
        "en": ("mandible", "bone mandible", "lower jaw"),
        "fr": ("mandibule", "os mandibule", "maxillaire inferieur"),
        "de": ("unterkiefer", "mandibula"),
        "es": ("mandibula", "maxilar inferior"),
        "zh": ("下颌骨", "下颌", "下頜骨", "下颚骨"),
    },
    "Pituitary": {
        "en": ("pituitary", "pituitary gland", "pituitary glnd", "hypophysis"),
        "fr": ("hypophyse", "glande pituitaire"),
        "de": ("hypophyse",),
        "es": ("hipofisis", "pituitaria", "glandula pituitaria"),
        "zh": ("垂体", "脑垂体", "垂體", "腦下垂體"),
    },
}
"""Organ -> language -> phrases, each a set of words."""

PAIRED: dict[str, dict[Language, tuple[str, ...]]] = {
    "Parotid": {
        "en": ("parotid", "parotid gland", "parotid glnd", "parotis", "parot"),
        "fr": ("parotide", "glande parotide"),
        "de": ("parotis", "glandula parotis", "gl parotis", "ohrspeicheldruse", "ohrspeicheldruese"),
        "es": ("parotida", "glandula parotida"),
        "zh": ("腮腺",),
    },
    "Lens": {
        "en": ("lens", "lense", "eye lens"),
        "fr": ("cristallin",),
        "de": ("linse", "augenlinse"),
        "es": ("cristalino",),
        "zh": ("晶体", "晶状体", "晶體", "晶狀體"),
    },
    "OpticNrv": {
        "en": ("optic nerve", "optic nrv", "opt nerve", "opt nrv", "optic n", "opt n"),
        "fr": ("nerf optique", "n optique", "nerf opt"),
        "de": ("sehnerv", "nervus opticus", "n opticus", "opticus"),
        "es": ("nervio optico", "n optico"),
        "zh": ("视神经", "視神經"),
    },
    "Lobe_Temporal": {
        "en": ("temporal lobe", "temp lobe"),
        "fr": ("lobe temporal", "lobe temp"),
        "de": ("temporallappen", "schlafenlappen", "schlaefenlappen"),
        "es": ("lobulo temporal",),
        "zh": ("颞叶", "顳葉"),
    },
}
"""The same for organs of which there are two; `_L` or `_R` makes the name of one."""

# A short word that means something else in another language counts only beside an organ's name in its own.
SIDES: dict[str, tuple[Laterality, frozenset[Language]]] = {
    **dict.fromkeys(("l", "lt", "lft", "left", "links", "linke", "linker", "linkes"), ("L", ALL)),
    **dict.fromkeys(("r", "rt", "rgt", "right", "rechts", "rechte", "rechter", "rechtes"), ("R", ALL)),
    **dict.fromkeys(("gauche", "gche", "izq", "izquierda", "izquierdo", "izda", "izdo", "左"), ("L", ALL)),
    **dict.fromkeys(("droit", "droite", "derecha", "derecho", "dcha", "dcho", "右"), ("R", ALL)),
    "li": ("L", frozenset({"de"})),
    "re": ("R", frozenset({"de"})),
    **dict.fromkeys(("sin", "sinistra", "sinister"), ("L", frozenset({"de"}))),  # Latin; in Spanish "without"
    **dict.fromkeys(("dext", "dextra", "dexter"), ("R", frozenset({"de"}))),
    "g": ("L", frozenset({"fr"})),
    "i": ("L", frozenset({"es"})),
    "d": ("R", frozenset({"fr", "es"})),
    "dr": ("R", frozenset({"fr"})),
    "dt": ("R", frozenset({"fr"})),
    "drt": ("R", frozenset({"fr"})),
    "dte": ("R", frozenset({"fr"})),
    "der": ("R", frozenset({"es"})),
}

FILLERS = frozenset({"side", "seite", "cote", "lado", "de", "del", "du", "la", "le", "侧", "側"})
"""Words that change nothing."""

MARKS: dict[str, str] = {
    **dict.fromkeys(("prv", "prvs", "pv", "prve"), "a planning risk volume"),
    **dict.fromkeys(("opt", "optim", "optimization", "optimisation", "oar", "help", "hilfe", "aide"), "a helper"),
    **dict.fromkeys(("z", "zz", "x", "xx", "dummy", "bidon", "test", "tmp", "temp", "dnu"), "a helper"),
    **dict.fromkeys(("avoid", "avd", "avoidance", "block", "ps", "sp", "sld"), "a helper"),
    **dict.fromkeys(("plan", "planning", "planung", "计划", "計劃"), "a structure for planning"),
    **dict.fromkeys(("copy", "copie", "kopie", "copia", "backup", "副本", "复制"), "a copy"),
    **dict.fromkeys(("old", "alt", "ancien", "ancienne", "viejo", "orig", "original", "旧"), "an earlier version"),
    **dict.fromkeys(("new", "edited", "edit", "final", "rev", "v"), "one of several versions"),
    **dict.fromkeys(("sub", "minus", "ohne", "sans", "menos", "excl", "crop", "cropped", "cut", "in", "out"), "a part"),
    **dict.fromkeys(("partial", "part", "sup", "inf", "upper", "lower", "ant", "post", "med", "lat", "deep"), "a part"),
    **dict.fromkeys(("core", "surface", "wall", "cervical", "cervicale", "superficial", "tail", "hot"), "a part"),
    **dict.fromkeys(("exp", "expand", "expanded", "margin", "marge", "rand", "mm", "cm", "外扩"), "a margin"),
    **dict.fromkeys(("ring", "shell", "anneau", "anillo", "环"), "a ring"),
    **dict.fromkeys(("dose", "gy", "cgy", "dosis", "isodose", "剂量"), "a dose"),
    **dict.fromkeys(("ptv", "ctv", "gtv", "itv", "ptvs", "boost", "靶区"), "a target, or what is left beside one"),
    **dict.fromkeys(("eval", "avg", "mean", "union", "sum", "and", "und", "et", "y"), "a combination"),
    **dict.fromkeys(("ai", "auto", "dl", "atlas", "mbs", "abas"), "what a program drew"),
    **dict.fromkeys(("both", "bilat", "bilateral", "bds", "beide", "bilateraux", "双侧", "双"), "both sides in one"),
    **dict.fromkeys(("ipsi", "contra", "ipsilateral", "contralateral"), "a side by the tumour, not by name"),
    **dict.fromkeys(("canal", "kanal", "spinalkanal", "medullaire", "椎管"), "the spinal canal, which is not the cord"),
}
"""Words that say what a ROI is instead. They only make the reason plainer: any unknown word does the same."""
