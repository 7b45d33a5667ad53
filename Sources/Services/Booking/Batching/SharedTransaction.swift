import Domain
import Postgres

/// What is the same for all who share a transaction.
enum SharedTransaction {
    /// First of its statements: nobody waits long for a row that only another one of the batch
    /// wants; alone each waits as long as ever.
    static let patience: SQL = "set local lock_timeout = '200ms'"

    /// Asks about each alone, all at the same time, so that nobody fails by another.
    /// - Returns: the outcomes in the order of the items.
    static func apart<Item: Sendable, Answer: Sendable>(
        _ items: [Item], _ ask: @escaping @Sendable (Item) async throws -> Answer
    ) async -> [Result<Answer, any Error>] {
        if PlantedBug.batchFailsTogether.isPlanted, items.count > 1 {
            return items.map { _ in .failure(CancellationError()) }
        }
        return await withTaskGroup(of: (Int, Result<Answer, any Error>).self) { group in
            for (index, item) in items.enumerated() {
                group.addTask {
                    do {
                        return (index, .success(try await ask(item)))
                    } catch {
                        return (index, .failure(error))
                    }
                }
            }
            return await group.reduce(
                into: Array(repeating: .failure(CancellationError()), count: items.count)
            ) { $0[$1.0] = $1.1 }
        }
    }
}
