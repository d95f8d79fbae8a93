#!/bin/sh
# Runs ffmpeg so that the kernel ends it when the process that started it dies, even by kill -9: without this a killed
# server would leave twelve pulls running, each holding one of the camera's few RTSP sessions.
# exec keeps one process, so the pid that Node sees is ffmpeg's own.
exec setpriv --pdeathsig TERM -- "${FFMPEG:-ffmpeg}" "$@"
