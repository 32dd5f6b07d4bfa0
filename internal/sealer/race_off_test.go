//go:build !race

package sealer

const raceDetector = false
