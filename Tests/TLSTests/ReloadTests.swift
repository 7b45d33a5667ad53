import Certificates
import Glibc
import Synchronization
import Testing

@testable import TLS

@Suite("Files that are read again") struct ReloadTests {
    /// Of this test alone: the other runs beside it.
    private let path = Certificates.shared.path("reloaded-\(UInt64.random(in: 0 ... .max))")

    private func write(_ text: String) throws {
        let file = try #require(fopen(path, "w"))
        fputs(text, file)
        fclose(file)
    }

    @Test("what could not be used is tried at each look until it can, then no more")
    func tried() throws {
        try write("old")
        let isReadable = Mutex(true)
        let loads = Mutex(0)
        let source = TLSSource.file(path)
        let files = try Reloadable([source]) { () throws(TLSError) in
            loads.withLock { $0 += 1 }
            guard isReadable.withLock({ $0 }) else { throw .configuration("cannot read it") }
            return try source.contents()
        }
        try write("newer")
        isReadable.withLock { $0 = false }
        for _ in 0..<2 {
            #expect(throws: TLSError.self) { try files.reloadIfChanged() }
            #expect(files.current == Array("old".utf8))
        }
        // Nothing that a stamp shows has changed since.
        isReadable.withLock { $0 = true }
        #expect(try files.reloadIfChanged())
        #expect(files.current == Array("newer".utf8))
        #expect(try !files.reloadIfChanged())
        #expect(loads.withLock { $0 } == 4)
    }

    @Test("a file that others may read now is a new version") func rights() throws {
        try write("one")
        let before = FileStamp(path: path)
        #expect(before == FileStamp(path: path))
        // The clock of the file system moves in steps of milliseconds.
        for _ in 0..<100_000 where FileStamp(path: path) == before { _ = chmod(path, 0o640) }
        #expect(FileStamp(path: path) != before)
    }
}
