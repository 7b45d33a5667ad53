import Glibc
import Telemetry

/// What the kernel says about this process, under the names that Prometheus clients use.
enum ProcessMetrics {
    static func register(in metrics: Metrics) {
        metrics.gauge(
            "process_resident_memory_bytes", help: "Resident memory.",
            read: { Double(residentBytes()) })
        metrics.gauge(
            "process_cpu_seconds", help: "CPU time, user and system.", read: { cpuSeconds() })
    }

    private static func residentBytes() -> Int {
        guard let text = DataFolder.read("/proc/self/statm") else { return 0 }
        let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
    }

    private static func cpuSeconds() -> Double {
        var usage = rusage()
        guard getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return 0 }
        let user = Double(usage.ru_utime.tv_sec) + Double(usage.ru_utime.tv_usec) / 1e6
        let system = Double(usage.ru_stime.tv_sec) + Double(usage.ru_stime.tv_usec) / 1e6
        return user + system
    }
}
