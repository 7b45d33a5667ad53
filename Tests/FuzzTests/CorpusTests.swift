import Foundation
import FuzzTargets
import Testing

/// The inputs that fuzzing has found interesting, one by one through the functions that libFuzzer
/// calls (`deploy/fuzz`): what held once holds.
@Suite struct CorpusTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Fuzz/Corpus")

    @Test(arguments: FuzzTarget.all)
    func everySavedInputHolds(_ target: FuzzTarget) throws {
        let folder = CorpusTests.folder.appending(path: target.name)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        #expect(!names.isEmpty, "no corpus for \(target)")
        for name in names {
            let bytes = try Data(contentsOf: folder.appending(path: name))
            do {
                try bytes.withUnsafeBytes { try target.run($0) }
            } catch {
                Issue.record("\(target)/\(name): \(error)")
            }
        }
    }

    @Test func everyCorpusHasItsTarget() throws {
        let folders = try FileManager.default.contentsOfDirectory(
            atPath: CorpusTests.folder.path)
        #expect(Set(folders) == Set(FuzzTarget.all.map(\.name)))
    }
}
