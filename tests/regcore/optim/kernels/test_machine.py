import llvmlite
import llvmlite.binding as llvm

from regcore.optim.kernels.machine import host_machine, machine_name


def test_the_name_tells_processors_and_compilers_apart():
    name = machine_name()

    assert llvm.get_host_cpu_name() in name
    assert llvmlite.__version__ in name


def test_code_is_made_for_this_system():
    assert host_machine().triple == llvm.get_default_triple()
