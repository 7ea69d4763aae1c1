"""Cut-down outputs of VASP, of our own making."""

from __future__ import annotations

REACHED, NOT_REACHED = (
    "aborting loop because EDIFF is reached",
    "aborting loop EDIFF was not reached (unconverged)",
)


def outcar(*steps: tuple[int, str, float], nelm: int = 3) -> str:
    """A cut-down OUTCAR; a step has a number of electronic steps, the end of its loop, and an energy."""
    text = f"   NELM   =    {nelm:3d};   NELMIN=  2; NELMDL= -5     # of ELM steps\n"
    text += " POTCAR:    PAW_PBE Cu 22Jun2005\n POTCAR:    PAW_PBE Cu 22Jun2005\n"
    text += "   ions per type =               1\n   ISPIN  =      1    spin polarized calculation?\n"
    for number, (electronic, end, energy) in enumerate(steps, start=1):
        for iteration in range(1, electronic + 1):
            text += f"---------------- Iteration   {number:4d}({iteration:4d})  ----------------\n"
        text += f"------------ {end} ------------\n"
        text += "      direct lattice vectors                 reciprocal lattice vectors\n"
        text += "     3.0 0.0 0.0 0.3 0.0 0.0\n     0.0 3.0 0.0 0.0 0.3 0.0\n     0.0 0.0 3.0 0.0 0.0 0.3\n\n"
        text += " POSITION                                       TOTAL-FORCE (eV/Angst)\n ----\n"
        text += "      0.0 0.0 0.0 0.0 0.0 0.0\n ----\n"
        text += "  FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)\n  -----\n"
        text += f"  free  energy   TOTEN  =       {energy:.8f} eV\n\n"
        text += f"  energy  without entropy=  {energy:.8f}  energy(sigma->0) =  {energy - 0.01:.8f}\n"
    return text


def vasprun(*electronic_steps: int, nelm: int = 3) -> str:
    """A cut-down vasprun.xml; the energy of a step is minus its number."""
    basis = '<crystal><varray name="basis"><v>3 0 0</v><v>0 3 0</v><v>0 0 3</v></varray></crystal>'
    structure = basis + '<varray name="positions"><v>0 0 0</v></varray>'
    text = f'<modeling><parameters><i type="int" name="NELM">{nelm}</i></parameters><kpoints>'
    text += (
        '<varray name="kpointlist"><v>0 0 0</v></varray><varray name="weights"><v>1</v></varray></kpoints>'
    )
    text += '<atominfo><array name="atoms"><set><rc><c>Cu</c><c>1</c></rc></set></array></atominfo>'
    text += f'<structure name="initialpos">{structure}</structure>'
    for number, count in enumerate(electronic_steps, start=1):
        energies = f'<i name="e_fr_energy">{-number}</i><i name="e_0_energy">{-number - 0.01}</i>'
        text += "<calculation>" + count * f"<scstep><energy>{energies}</energy></scstep>"
        text += f'<structure>{structure}</structure><varray name="forces"><v>0 0 0</v></varray>'
        text += f"<energy>{energies}</energy></calculation>"
    return text + "</modeling>"
