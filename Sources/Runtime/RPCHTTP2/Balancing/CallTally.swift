/// How the calls to one address ended since outlier detection last looked. Loop only.
final class CallTally {
    private(set) var successes = 0
    private(set) var failures = 0

    func count(success: Bool) {
        if success { successes += 1 } else { failures += 1 }
    }

    func take() -> (successes: Int, failures: Int) {
        defer {
            successes = 0
            failures = 0
        }
        return (successes, failures)
    }
}
