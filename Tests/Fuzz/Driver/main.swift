import FuzzTargets
import Glibc

// libFuzzer's own loop around the target that FUZZ_TARGET names (libFuzzer starts itself again to
// merge, with its own arguments only); without a name, the list. Called by `deploy/fuzz`.

/// From compiler-rt's FuzzerInterface.h.
@_silgen_name("LLVMFuzzerRunDriver")
func runLibFuzzer(
    _ count: UnsafeMutablePointer<Int32>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32

let name = getenv("FUZZ_TARGET").map { String(cString: $0) } ?? ""
guard let chosen = FuzzTarget.all.first(where: { $0.name == name }) else {
    for target in FuzzTarget.all { print(target.name) }
    exit(name.isEmpty ? 0 : 64)
}
let target = chosen

/// The library links its own `main` too, which wants this name.
@_cdecl("LLVMFuzzerTestOneInput")
func test(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    do {
        try target.run(UnsafeRawBufferPointer(start: bytes, count: count))
    } catch {
        fatalError("\(target.name): \(error)")
    }
    return 0
}

var arguments = CommandLine.unsafeArgv
var count = CommandLine.argc
exit(runLibFuzzer(&count, &arguments, test))
